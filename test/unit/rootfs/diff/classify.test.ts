import assert from 'node:assert/strict'
import {test} from 'node:test'
import {classify, type Surroundings} from '../../../../src/rootfs/diff/classify.js'
import type {Entry} from '../../../../src/rootfs/diff/entries.js'

const FILE: Entry = {kind: 'file', mode: 0o644, uid: 0, gid: 0, sizeBytes: 1}
const LINK: Entry = {...FILE, kind: 'symlink', target: '/etc/alternatives/editor'}

const KNOWN: Surroundings = {
  own: new Set(['etc/hostname']),
  packages: new Map([
    ['usr/bin/new', 'new'],
    ['usr/bin/same', 'same'],
  ]),
  changedPackages: new Set(['new']),
  conffiles: new Map([
    ['etc/new.conf', {package: 'new', md5: 'brought'}],
    ['etc/same.conf', {package: 'same', md5: 'brought'}],
  ]),
  formerConffiles: new Set(['etc/gone.conf']),
  digests: new Map(),
}

const withDigests = (digests: Readonly<Record<string, string>>): Surroundings => ({
  ...KNOWN,
  digests: new Map(Object.entries(digests)),
})

for (const [path, group] of [
  ['etc/hostname', 'envs'],
  ['usr/lib/envs/become', 'envs'],
  ['proc', 'envs'],
  ['var/cache/apt/archives/a.deb', 'caches'],
  ['var/lib/apt/lists/x', 'caches'],
  ['etc/ld.so.cache', 'caches'],
  ['var/lib/dpkg/status', 'packageRecords'],
  ['var/lib/apt/extended_states', 'packageRecords'],
  ['var/log/dpkg.log', 'logs'],
  ['tmp/x', 'temporary'],
  ['run/lock/x', 'temporary'],
  ['usr/lib/python3/x/__pycache__/a.pyc', 'bytecode'],
  ['usr/lib/python3/x/__pycache__', 'bytecode'],
  ['etc/passwd', 'accounts'],
  ['etc/gshadow-', 'accounts'],
  ['etc/systemd/system/a.target.wants/b.service', 'services'],
  ['etc/rc2.d/S01cron', 'services'],
  ['etc/alternatives/editor', 'alternatives'],
  ['usr/bin/new', 'package'],
  ['usr/bin/same', 'other'],
  ['tmp', 'other'],
  ['var/log', 'other'],
  ['etc/passwd.mine', 'other'],
  ['etc/systemd/system/own.service', 'other'],
  ['home/dev/tmp/x', 'other'],
] as const) {
  test(`/${path} goes to ${group}`, () => {
    assert.equal(classify({path, before: undefined, after: FILE}, KNOWN), group)
  })
}

test('a link to an alternative is one wherever it lies', () => {
  assert.equal(classify({path: 'usr/bin/editor', before: undefined, after: LINK}, KNOWN), 'alternatives')
})

for (const {what, path, known, after, group} of [
  {
    what: 'as they were brought by a new package',
    path: 'etc/new.conf',
    known: withDigests({'etc/new.conf': 'brought'}),
    after: FILE,
    group: 'package',
  },
  {
    what: 'other than a new package brought them',
    path: 'etc/new.conf',
    known: withDigests({'etc/new.conf': 'edited'}),
    after: FILE,
    group: 'conffile',
  },
  {
    what: 'that are not there though their package is',
    path: 'etc/new.conf',
    known: KNOWN,
    after: undefined,
    group: 'conffile',
  },
  {
    what: 'of an unchanged package with another mode',
    path: 'etc/same.conf',
    known: withDigests({'etc/same.conf': 'brought'}),
    after: FILE,
    group: 'conffile',
  },
  {
    what: 'that went with their package',
    path: 'etc/gone.conf',
    known: KNOWN,
    after: undefined,
    group: 'package',
  },
  {
    what: 'that changed though dpkg knows them no more',
    path: 'etc/gone.conf',
    known: KNOWN,
    after: FILE,
    group: 'conffile',
  },
] as const) {
  test(`settings ${what} go to ${group}`, () => {
    assert.equal(classify({path, before: FILE, after}, known), group)
  })
}
