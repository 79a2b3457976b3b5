import assert from 'node:assert/strict'
import {lstatSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {fixTree} from '../../../../src/rootfs/fixes/apply.js'
import {NO_ARCHIVES} from '../../../../src/rootfs/fixes/apt-sources.js'
import {
  DEB822_SOURCES,
  OLD_RELEASES,
  ONE_LINE_SOURCES,
  plant,
  textOf,
  whereAptLooks,
  whyNoApt,
} from '../../../support/apt-tree.js'
import {treeFolder} from '../../../support/extraction.js'
import {TREE_FACTS} from '../../../support/tree-facts.js'
import {treeSnapshot} from '../../../support/tree-snapshot.js'

const ONLY = ['apt-sources']
const LIST = 'etc/apt/sources.list'
const STANZAS = 'etc/apt/sources.list.d/ubuntu.sources'
const MOVED = {...NO_ARCHIVES, movedSuites: ['kinetic', 'mantic']}
const MIRROR = 'https://mirror.example/pub/ubuntu'
const MIRRORED = {...NO_ARCHIVES, ubuntuMirror: MIRROR, debianMirror: 'https://mirror.example/debian'}
const facts = (archives: typeof MOVED | typeof MIRRORED) => ({...TREE_FACTS, archives})

test('a one-line list of a release that moved asks the old releases', async (t) => {
  const root = await treeFolder(t)
  plant(root, LIST, ONE_LINE_SOURCES)
  assert.deepEqual(fixTree(root, facts(MOVED), ONLY), ONLY)
  assert.equal(
    textOf(root, LIST),
    `# See http://help.ubuntu.com/community/UpgradeNotes
deb ${OLD_RELEASES}/ kinetic main restricted
# deb-src http://archive.ubuntu.com/ubuntu/ kinetic main restricted
deb [arch=amd64] ${OLD_RELEASES}/ kinetic-updates main restricted
deb ${OLD_RELEASES}/ kinetic-security main restricted
`,
  )
})

test('stanzas of a release that moved ask the old releases', async (t) => {
  const root = await treeFolder(t)
  plant(root, STANZAS, DEB822_SOURCES)
  assert.deepEqual(fixTree(root, facts(MOVED), ONLY), ONLY)
  assert.equal(
    textOf(root, STANZAS),
    DEB822_SOURCES.replace(/http:\/\/\w+\.ubuntu\.com\/ubuntu\//g, `${OLD_RELEASES}/`),
  )
})

test('a mirror of the settings is written in both formats', async (t) => {
  const root = await treeFolder(t)
  plant(root, LIST, ONE_LINE_SOURCES)
  plant(root, STANZAS, DEB822_SOURCES)
  fixTree(root, facts(MIRRORED), ONLY)
  const active = /^(?<before>(?:deb|URIs:).*)http:\/\/\w+\.ubuntu\.com\/ubuntu\//gm
  assert.equal(textOf(root, LIST), ONE_LINE_SOURCES.replace(active, `$<before>${MIRROR}/`))
  assert.equal(textOf(root, STANZAS), DEB822_SOURCES.replace(active, `$<before>${MIRROR}/`))
})

test("Debian's security archive stays, for the mirror does not hold it", async (t) => {
  const root = await treeFolder(t)
  plant(
    root,
    LIST,
    'deb http://ftp.debian.org/debian trixie main\ndeb http://ftp.debian.org/debian-security trixie-security main\n',
  )
  fixTree(root, facts(MIRRORED), ONLY)
  assert.equal(
    textOf(root, LIST),
    'deb https://mirror.example/debian trixie main\ndeb http://ftp.debian.org/debian-security trixie-security main\n',
  )
})

test('a release that is on the archive still is left alone', async (t) => {
  const root = await treeFolder(t)
  plant(root, LIST, ONE_LINE_SOURCES)
  plant(root, STANZAS, DEB822_SOURCES)
  const before = treeSnapshot(root)
  assert.deepEqual(fixTree(root, facts({...NO_ARCHIVES, movedSuites: ['impish']}), ONLY), [])
  assert.deepEqual(treeSnapshot(root), before)
})

test('sources of others stay, byte for byte, beside those that change', async (t) => {
  const root = await treeFolder(t)
  const path = 'etc/apt/sources.list.d/mixed.list'
  const other = Buffer.from(
    'deb http://ppa.launchpadcontent.net/a/b/ubuntu kinetic main # \xff\r\n',
    'latin1',
  )
  plant(
    root,
    path,
    Buffer.concat([other, Buffer.from('deb http://archive.ubuntu.com/ubuntu kinetic main\n')]),
  )
  fixTree(root, facts(MOVED), ONLY)
  assert.deepEqual(
    readFileSync(join(root, path)),
    Buffer.concat([other, Buffer.from(`deb ${OLD_RELEASES} kinetic main\n`)]),
  )
})

for (const name of ['ubuntu.sources.save', 'ubuntu.list~', 'ubuntu', 'a b.list'] as const) {
  test(`${name} is a name that APT does not read, and stays`, async (t) => {
    const root = await treeFolder(t)
    plant(root, `etc/apt/sources.list.d/${name}`, ONE_LINE_SOURCES)
    assert.deepEqual(fixTree(root, facts(MOVED), ONLY), [])
  })
}

test('a second run changes nothing and says so', async (t) => {
  const root = await treeFolder(t)
  plant(root, LIST, ONE_LINE_SOURCES)
  plant(root, STANZAS, DEB822_SOURCES)
  for (const archives of [MIRRORED, MOVED]) {
    fixTree(root, facts(archives), ONLY)
    const before = treeSnapshot(root)
    assert.deepEqual(fixTree(root, facts(archives), ONLY), [])
    assert.deepEqual(treeSnapshot(root), before)
  }
})

test('a file keeps its mode', async (t) => {
  const root = await treeFolder(t)
  plant(root, LIST, ONE_LINE_SOURCES, 0o600)
  fixTree(root, facts(MOVED), ONLY)
  assert.equal(lstatSync(join(root, LIST)).mode & 0o7777, 0o600)
})

test('APT itself looks where both formats were sent', {skip: whyNoApt}, async (t) => {
  const root = await treeFolder(t)
  plant(root, LIST, ONE_LINE_SOURCES)
  plant(root, STANZAS, DEB822_SOURCES.replaceAll('\n', '\r\n'))
  fixTree(root, facts(MOVED), ONLY)
  const suites = [
    ...['kinetic', 'kinetic-security', 'kinetic-updates'],
    ...['mantic', 'mantic-backports', 'mantic-security', 'mantic-updates'],
  ]
  assert.deepEqual(
    await whereAptLooks(root),
    suites.map((suite) => `${OLD_RELEASES}/dists/${suite}`),
  )
})

test('APT itself reads a mirror with an escape in it alike from both formats', {
  skip: whyNoApt,
}, async (t) => {
  const root = await treeFolder(t)
  plant(root, LIST, 'deb http://archive.ubuntu.com/ubuntu noble main\n')
  plant(
    root,
    STANZAS,
    'Types: deb\nURIs: http://archive.ubuntu.com/ubuntu\nSuites: jammy\nComponents: main\n',
  )
  fixTree(root, facts({...MIRRORED, ubuntuMirror: 'http://[::1]:3142/a%20b'}), ONLY)
  assert.deepEqual(await whereAptLooks(root), [
    'http://[::1]:3142/a%20b/dists/jammy',
    'http://[::1]:3142/a%20b/dists/noble',
  ])
})

test('a list that no entry can be read from stays as it is', async (t) => {
  const root = await treeFolder(t)
  plant(root, LIST, 'deb [arch=amd64 http://archive.ubuntu.com/ubuntu kinetic main\n')
  assert.deepEqual(fixTree(root, facts(MOVED), ONLY), [])
})
