import assert from 'node:assert/strict'
import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../../src/host/process.js'
import {unpackDebs} from '../../../../src/rootfs/debs/unpack.js'
import {type DebContent, makeDeb} from '../../../support/deb-file.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

function paragraph(name: string, more = ''): string {
  return `Package: ${name}\nVersion: 1.0\nArchitecture: amd64\nMaintainer: none <none@localhost>\n${more}Description: test\n more of it\n`
}

const PACKAGES: Readonly<Record<string, DebContent>> = {
  alpha: {
    control: paragraph('alpha', 'Homepage: http://localhost\n'),
    files: {
      'etc/alpha.conf': 'setting\n',
      'etc/alpha/more.conf': 'another\n',
      'usr/bin/alpha': '#!/bin/sh\n',
      'usr/share/doc/alpha/README': 'read\n',
    },
    scripts: {
      conffiles: '/etc/alpha.conf\n/etc/alpha/more.conf\n',
      triggers: 'interest-noawait /usr/share/doc\n',
    },
    compression: 'zstd',
  },
  beta: {
    control: paragraph('beta', 'Replaces: alpha (<< 2)\nMulti-Arch: same\n'),
    files: {'usr/share/doc/alpha/README': 'newer\n', 'usr/lib/libbeta.so': 'code\n'},
    scripts: {triggers: 'interest ldconfig\nactivate-noawait ldconfig\n'},
    compression: 'gzip',
  },
  gamma: {
    control: paragraph('gamma'),
    files: {'usr/bin/gamma': 'program\n'},
    scripts: {md5sums: '8e73b1a4a2ea2e1e7dd1bd1c2bcf5d36  usr/bin/gamma\n'},
    compression: 'xz',
  },
}

/** Two trees: one by envs, in the order given; one by dpkg itself. Each is configured by dpkg then. */
async function bothTrees(t: TestContext, order: readonly string[]): Promise<{ours: string; theirs: string}> {
  const folder = await temporaryFolder(t)
  const debs = join(folder, 'debs')
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')]
  for (const path of [debs, ours, theirs]) await mkdir(path)
  for (const [name, content] of Object.entries(PACKAGES))
    await writeFile(join(debs, `${name}.deb`), makeDeb(content))
  await unpackDebs(listed(debs, order), ours, {
    owners: 'caller',
    // As on a host that has no decompressor.
    which: () => undefined,
    links: [],
    files: [],
    modified: '1700000000',
    ledger: join(folder, 'ledger.jsonl'),
  })
  await mkdir(join(theirs, 'var/lib/dpkg/info'), {recursive: true})
  for (const file of ['status', 'available']) await writeFile(join(theirs, 'var/lib/dpkg', file), '')
  await dpkg(theirs, '--unpack', ...Object.keys(PACKAGES).map((name) => join(debs, `${name}.deb`)))
  for (const root of [ours, theirs]) await dpkg(root, '--configure', '--pending')
  return {ours, theirs}
}

async function* listed(folder: string, names: readonly string[]) {
  for (const name of names) yield {name, path: join(folder, `${name}.deb`)}
}

async function dpkg(root: string, ...argv: string[]): Promise<void> {
  const ran = await capture(
    [
      'unshare',
      '--map-root-user',
      '--',
      'dpkg',
      `--root=${root}`,
      '--force-depends',
      '--force-bad-path',
      ...argv,
    ],
    {timeout: 30_000},
  )
  assert.equal(ran.status, 0, ran.stderr)
}

/** All files below a folder, but for dpkg's locks and its former lists. */
async function textsBelow(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, {recursive: true, withFileTypes: true})
  const files = entries.filter((entry) => entry.isFile() && !/-old$|^lock|^Lock$|\.log$/.test(entry.name))
  const paths = files.map(({name, parentPath}) => join(parentPath, name).slice(folder.length + 1)).sort()
  const texts = await Promise.all(
    paths.map(async (path) => [path, await readFile(join(folder, path), 'utf8')]),
  )
  return Object.fromEntries(texts)
}

for (const order of [
  ['alpha', 'beta', 'gamma'],
  ['gamma', 'beta', 'alpha'],
]) {
  test(`a tree and dpkg's list of it are as dpkg makes them, unpacked as ${order.join(', ')}`, async (t) => {
    const {ours, theirs} = await bothTrees(t, order)
    assert.deepEqual(await textsBelow(ours), await textsBelow(theirs))
  })
}

test('dpkg finds nothing wrong with files that it did not unpack itself', async (t) => {
  const {ours} = await bothTrees(t, ['alpha', 'beta', 'gamma'])
  const audit = await capture(['dpkg', `--root=${ours}`, '--audit'])
  assert.deepEqual([audit.status, audit.stdout], [0, ''])
})

test('paths below links of the root lie once, and dpkg knows them by the names their package has', async (t) => {
  const folder = await temporaryFolder(t)
  const root = join(folder, 'root')
  await mkdir(root)
  const files = {'bin/tool': 'tool\n', 'usr/bin/other': 'other\n'}
  await writeFile(join(folder, 'delta.deb'), makeDeb({control: paragraph('delta'), files}))
  await unpackDebs(listed(folder, ['delta']), root, {
    ...{owners: 'caller', which: () => undefined, links: ['bin'], files: []},
    modified: '1700000000',
    ledger: join(folder, 'ledger.jsonl'),
  })
  assert.deepEqual((await readdir(join(root, 'usr/bin'))).sort(), ['other', 'tool'])
  const list = await readFile(join(root, 'var/lib/dpkg/info/delta.list'), 'utf8')
  assert.deepEqual(
    list.split('\n').filter((path) => path.includes('tool')),
    ['/bin/tool'],
  )
})
