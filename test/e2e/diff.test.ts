import assert from 'node:assert/strict'
import {chmod, mkdir, rm, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../src/host/host.js'
import {systemCalls} from '../../src/host/machine/arch.js'
import {capture} from '../../src/host/process.js'
import {environmentCli} from '../support/environment-cli.js'
import {type Guest, IDENTITIES, ownGuest} from '../support/guest.js'
import {assertDocumented} from '../support/json-schema.js'
import {noOverlays} from '../support/stacked-layers.js'
import {tinyRootfs} from '../support/tiny-rootfs.js'

/** A package with settings, and with a program that is setuid. */
async function installPackage(guest: Guest, version: string): Promise<void> {
  const folder = join(guest.cli.home, `shown-${version}`)
  const files: Readonly<Record<string, string>> = {
    'DEBIAN/control': `Package: shown\nVersion: ${version}\nArchitecture: all\nMaintainer: none <none@localhost>\nDescription: test\n`,
    'DEBIAN/conffiles': '/etc/shown.conf\n/etc/kept.conf\n',
    'etc/shown.conf': 'brought\n',
    'etc/kept.conf': `of ${version}\n`,
    'usr/bin/shown': `#!/bin/sh\necho ${version}\n`,
    'usr/bin/shown-suid': '#!/bin/sh\n',
  }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), {recursive: true, mode: 0o755})
    await writeFile(join(folder, path), content)
  }
  await chmod(join(folder, 'usr/bin/shown-suid'), 0o4755)
  await chmod(folder, 0o755)
  const archive = join(guest.cli.home, 'debs', `shown-${version}.deb`)
  await mkdir(dirname(archive), {recursive: true})
  const built = await capture(['dpkg-deb', '--root-owner-group', '-Zgzip', '--build', folder, archive])
  assert.equal(built.status, 0, built.stderr)
  await rm(folder, {recursive: true})
  const flags = ['--volume', `${dirname(archive)}:/mnt:ro`]
  const installed = await guest.runWith({flags}, 'dpkg', '--force-confold', '-i', `/mnt/shown-${version}.deb`)
  assert.equal(installed.status, 0, installed.stderr)
}

async function diff(guest: Guest, ...argv: string[]) {
  const run = await guest.cli.run('diff', 'play', ...argv, '--json')
  assert.deepEqual([run.status, run.stderr], [0, ''])
  return JSON.parse(run.stdout)
}

async function change(guest: Guest, script: string): Promise<void> {
  const run = await guest.runWith({}, 'sh', '-ec', script)
  assert.equal(run.status, 0, run.stderr)
}

type Named = {readonly path: string; readonly change: string}
const named = (files: readonly Named[]) => files.map(({path, change: what}) => `${what} ${path}`)

/** cap_net_raw, permitted and effective; linux/capability.h, vfs_cap_data. */
const NET_RAW = '0100000200200000000000000000000000000000'

const EDITS = [
  'echo mine >>/etc/shown.conf',
  'echo dev:x:1000:1000::/home/dev:/bin/sh >>/etc/passwd; echo dev:x:1000: >>/etc/group',
  'mkdir -p /opt/tool/bin; echo one >/opt/tool/bin/one; cp /bin/true /usr/local/bin/own; chmod 4755 /usr/local/bin/own',
  'mkdir -p /etc/systemd/system/multi-user.target.wants /etc/rc2.d',
  'ln -s /lib/systemd/system/shown.service /etc/systemd/system/multi-user.target.wants/',
  'ln -s ../init.d/shown /etc/rc2.d/S01shown',
  'cp /bin/cat /tmp/cat; cp /tmp/cat /bin/cat; chmod 0 /bin/tac; rm -r /usr/share/doc/dpkg',
  'echo >/var/log/own.log; echo >/var/cache/own; echo >/tmp/own',
  'printf x >"/opt/$(printf \'bell\\007\')"',
].join('\n')

for (const {identity, skip: missing} of IDENTITIES) {
  const skip = missing === false ? noOverlays : missing

  test(`diff of an environment that was only entered finds nothing, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    await change(guest, 'true')
    const {packages, conffiles, files, users, groups, services, privileged} = await diff(guest)
    assert.deepEqual(packages, {added: [], removed: [], upgraded: [], downgraded: []})
    assert.deepEqual([conffiles, files, users, groups, services, privileged], [[], [], [], [], [], []])
    const {stdout} = await guest.cli.run('diff', 'play')
    assert.match(stdout, /^play compared with its image: no difference\.\n/)
  })

  test(`diff tells what was done since the image, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    await installPackage(guest, '1')
    await change(guest, EDITS)
    const found = await diff(guest)
    assert.deepEqual(found.against.kind, 'image')
    assert.deepEqual(found.packages.added, [
      {name: 'shown', architecture: 'all', version: '1', state: 'installed'},
    ])
    assert.deepEqual(named(found.conffiles), ['added /etc/shown.conf'])
    assert.deepEqual(found.conffiles[0].package, 'shown')
    assert.deepEqual(named(found.files), [
      'added /opt/bell\x07',
      'added /opt/tool',
      'added /opt/tool/bin',
      'added /opt/tool/bin/one',
      'changed /usr/bin/tac',
      'added /usr/local/bin/own',
      ...named(found.files).filter((line) => line.includes('/doc/dpkg')),
    ])
    assert.ok(named(found.files).includes('removed /usr/share/doc/dpkg'))
    const tac = found.files.find(({path}: Named) => path === '/usr/bin/tac')
    assert.deepEqual([tac.changed, tac.package], [['mode'], 'coreutils'])
    const [dev] = found.users
    assert.deepEqual([dev.name, dev.uid, dev.change, found.users.length], ['dev', 1000, 'added', 1])
    assert.deepEqual(
      found.groups.map(({name}: {name: string}) => name),
      ['dev'],
    )
    assert.deepEqual(
      found.services,
      [
        {name: 'shown.service', init: 'systemd', change: 'added', startedBy: ['multi-user.target']},
        {name: 'shown', init: 'sysv', change: 'added', startedBy: ['runlevel 2']},
      ].sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
    assert.deepEqual(
      found.privileged.map(({path, mode, package: name}: {path: string; mode: string; package: string}) => [
        path,
        mode,
        name,
      ]),
      [
        ['/usr/bin/shown-suid', '4755', 'shown'],
        ['/usr/local/bin/own', '4755', null],
      ],
    )
    const counted = found.leftOut.map(({group}: {group: string}) => group)
    for (const group of [
      'package',
      'packageRecords',
      'accounts',
      'services',
      'caches',
      'logs',
      'temporary',
      'envs',
    ])
      assert.ok(counted.includes(group), `${group} is not in ${counted}`)
    assert.deepEqual([found.unreadable, found.dropped], [0, 0])
  })

  test(`diff against a snapshot tells what was done since, also of one that runs, ${identity}`, {
    skip,
  }, async (t) => {
    const guest = await ownGuest(t, identity)
    await installPackage(guest, '1~rc1')
    await change(guest, 'echo mine >>/etc/kept.conf; echo >/opt/before')
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    assert.equal((await guest.cli.run('snapshot', 'play', 'point')).status, 0)
    await installPackage(guest, '1')
    await change(guest, 'rm /opt/before; echo >/opt/after')
    const session = guest.start('run', 'play', '--', 'sh', '-c', 'echo >/opt/live; echo ready; sleep 20')
    t.after(() => void session.kill())
    await new Promise((resolve) => session.stdout?.once('data', resolve))
    const found = await diff(guest, 'point')
    assert.deepEqual(found.against, {kind: 'snapshot', name: 'point'})
    assert.deepEqual(found.packages, {
      added: [],
      removed: [],
      upgraded: [{name: 'shown', architecture: 'all', from: '1~rc1', to: '1'}],
      downgraded: [],
    })
    assert.deepEqual(named(found.files), [
      'added /etc/kept.conf.dpkg-dist',
      'added /opt/after',
      'removed /opt/before',
      'added /opt/live',
    ])
    // What was changed by hand stays as it is, beside the new one.
    assert.deepEqual(found.conffiles, [])
    session.kill()
  })

  test(`diff names capabilities that a program was given, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    const number = systemCalls(openHost().architecture).fsetxattr
    const set = `my ($n, $v) = ("security.capability\\0", pack("H*", "${NET_RAW}")); syscall(${number}, 3, $n, $v, length $v, 0) == 0 or exit 1`
    await change(guest, `cp /bin/true /usr/local/bin/ping; perl -e '${set}' 3</usr/local/bin/ping`)
    const {privileged} = await diff(guest)
    assert.deepEqual(
      privileged.map(({path, capabilities}: {path: string; capabilities: string[]}) => [path, capabilities]),
      [['/usr/local/bin/ping', ['cap_net_raw']]],
    )
  })

  test(`diff after apt-get install hello tells of hello alone, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    await change(guest, 'apt-get -qq update && apt-get -qq install -y hello')
    const {packages, files, conffiles, users, groups, services, privileged} = await diff(guest)
    assert.deepEqual(
      packages.added.map(({name}: {name: string}) => name),
      ['hello'],
    )
    assert.deepEqual([files, conffiles, users, groups, services, privileged], [[], [], [], [], [], []])
    const everything = named((await diff(guest, '--files')).files)
    assert.ok(everything.includes('added /usr/bin/hello'))
    assert.ok(everything.includes('changed /var/lib/dpkg/status'))
  })
}

test('diff prints a line a change, with names made safe', {skip: noOverlays}, async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await change(guest, EDITS.replace('echo mine >>/etc/shown.conf', ':'))
  const {stdout} = await guest.cli.run('diff', 'play')
  for (const line of [
    'Other files:',
    '  added    /opt/bell\\x07',
    '  added    /opt/tool/ (with 2 files)',
    '  changed  /usr/bin/tac (mode; of coreutils)',
    '  added  user dev (1000)',
    '  added  shown (sysv: runlevel 2)',
    '  added  /usr/local/bin/own 4755 0:0',
    'Files not shown (--files lists them):',
  ])
    assert.ok(stdout.split('\n').includes(line), `${line} is not in\n${stdout}`)
})

test('diff --json is as its schema has it', {skip: noOverlays}, async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await installPackage(guest, '1')
  await change(guest, EDITS)
  await assertDocumented('diff', await diff(guest))
})

test('diff --with tells what one environment has that another has not', {skip: noOverlays}, async (t) => {
  const guest = await ownGuest(t, 'emulated')
  assert.equal((await guest.cli.run('clone', 'play', 'other')).status, 0)
  await change(guest, 'echo >/opt/mine')
  assert.equal((await guest.cli.run('run', 'other', 'sh', '-c', 'echo >/opt/theirs')).status, 0)
  const found = await diff(guest, '--with', 'other')
  assert.deepEqual(await diff(guest, 'other'), found)
  assert.equal((await guest.cli.run('snapshot', 'play', 'other')).status, 0)
  assert.deepEqual((await diff(guest, 'other')).against, {kind: 'snapshot', name: 'other'})
  assert.equal((await guest.cli.run('rm', '--force', 'other')).status, 0)
  assert.deepEqual(found.against, {kind: 'environment', name: 'other'})
  assert.deepEqual(named(found.files), ['added /opt/mine', 'removed /opt/theirs'])
})

async function givenDirectory(t: TestContext) {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const create = (name: string, storage: string) =>
    cli.runWith({env: {ENVS_STORAGE: storage}}, 'create', path, '--name', name, '--identity', 'emulated')
  assert.equal((await create('plain', 'directory')).status, 0)
  return {cli, create}
}

test('diff of an environment that is one folder says with what it can be compared', async (t) => {
  const {cli} = await givenDirectory(t)
  const run = await cli.run('diff', 'plain', '--json')
  assert.equal(run.status, 3)
  const {error} = JSON.parse(run.stdout)
  assert.equal(error.code, 'ENVS_NO_IMAGE_TREE')
  assert.match(error.suggestions[0], /envs diff plain --with fresh$/)
})

test('diff of an environment that is one folder takes its image from another one of it', {
  skip: noOverlays,
}, async (t) => {
  const {cli, create} = await givenDirectory(t)
  assert.equal((await create('stacked', 'overlay')).status, 0)
  await writeFile(join(cli.root('plain'), 'etc/os-release'), 'ID=TINY\n')
  for (const argv of [[], ['--with', 'stacked']]) {
    const run = await cli.run('diff', 'plain', ...argv, '--json')
    const {files, packages} = JSON.parse(run.stdout)
    assert.deepEqual([named(files), packages], [['changed /etc/os-release'], null])
  }
})

test('diff with a snapshot that is not there asks whether another was meant', {
  skip: noOverlays,
}, async (t) => {
  const {cli, create} = await givenDirectory(t)
  assert.equal((await create('stacked', 'overlay')).status, 0)
  assert.equal((await cli.run('snapshot', 'stacked', 'before')).status, 0)
  assert.deepEqual(await cli.run('diff', 'stacked', 'befor'), {
    status: 3,
    signal: null,
    stdout: '',
    stderr: 'envs: The environment "stacked" has no snapshot "befor".\n  Did you mean before?\n',
  })
})

for (const [what, argv, status] of [
  ['a snapshot and another environment at once', ['plain', 'label', '--with', 'plain'], 2],
  ['a snapshot of one that is a folder', ['plain', 'label'], 4],
  ['another environment that is not there', ['plain', '--with', 'nothing'], 3],
  ['an environment that is not there', ['nothing'], 3],
] as const) {
  test(`diff with ${what} ends with ${status}`, async (t) => {
    const {cli} = await givenDirectory(t)
    assert.equal((await cli.run('diff', ...argv)).status, status)
  })
}
