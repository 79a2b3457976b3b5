import assert from 'node:assert/strict'
import {mkdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {extractionArena, treeFolder} from '../../support/extraction.js'
import {EVERYTHING, fillSampleTree, type SampleContents} from '../../support/sample-tree.js'
import {file, tarArchive} from '../../support/tar-archive.js'
import {treeSnapshot} from '../../support/tree-snapshot.js'

const OLD: SampleContents = {fifo: true, longNames: false, timesBefore1970: false}

for (const [what, options, contents] of [
  ['GNU', ['--format=gnu'], EVERYTHING],
  ['old GNU', ['--format=oldgnu'], EVERYTHING],
  ['pax', ['--format=pax'], EVERYTHING],
  ['pax with a global header', ['--format=pax', '--pax-option=comment=global,mtime=1'], EVERYTHING],
  ['ustar', ['--format=ustar'], OLD],
  ['v7', ['--format=v7'], {...OLD, fifo: false}],
  ['GNU sparse', ['--format=gnu', '--sparse'], EVERYTHING],
  ['pax sparse 0.0', ['--format=pax', '--sparse-version=0.0'], EVERYTHING],
  ['pax sparse 0.1', ['--format=pax', '--sparse-version=0.1'], EVERYTHING],
  ['pax sparse 1.0', ['--format=pax', '--sparse-version=1.0'], EVERYTHING],
] as const) {
  test(`a ${what} archive gives the tree that GNU tar gives`, async (t) => {
    const archive = await sampleArchive(t, options, contents)
    assert.deepEqual(await ours(t, archive), await theirs(t, archive))
  })
}

test('a hidden umask takes no permission away', async (t) => {
  const archive = await sampleArchive(t, ['--format=gnu'], EVERYTHING)
  const expected = await theirs(t, archive)
  const before = process.umask(0o077)
  t.after(() => process.umask(before))
  assert.deepEqual(await ours(t, archive), expected)
})

test('a single wrapping folder is stripped', async (t) => {
  const source = await treeFolder(t)
  await mkdir(join(source, 'rootfs'))
  await fillSampleTree(join(source, 'rootfs'), EVERYTHING)
  await archiveFolder(source, ['--format=pax', 'rootfs'])
  const arena = await extractionArena(t)
  await arena.extract(await readFile(join(source, 'archive.tar')))
  assert.deepEqual(treeSnapshot(arena.root), treeSnapshot(join(source, 'rootfs')))
})

test('a tree of nothing but usr, which holds a bin, is not taken for a wrapping folder', async (t) => {
  const arena = await extractionArena(t)
  await arena.extract(tarArchive(file('usr/bin/sh')))
  assert.equal(await readFile(join(arena.root, 'usr/bin/sh'), 'utf8'), 'data')
})

async function sampleArchive(
  t: TestContext,
  options: readonly string[],
  contents: SampleContents,
): Promise<string> {
  const source = await treeFolder(t)
  await mkdir(join(source, 'tree'))
  await fillSampleTree(join(source, 'tree'), contents)
  return archiveFolder(source, ['-C', 'tree', ...options, '.'])
}

async function archiveFolder(folder: string, options: readonly string[]): Promise<string> {
  const archive = join(folder, 'archive.tar')
  const {status, stderr} = await capture(['tar', '-cf', archive, '-C', folder, ...options])
  assert.equal(status, 0, stderr)
  return archive
}

async function ours(t: TestContext, archive: string): Promise<string[]> {
  const arena = await extractionArena(t)
  await arena.extract(await readFile(archive))
  return treeSnapshot(arena.root)
}

async function theirs(t: TestContext, archive: string): Promise<string[]> {
  const folder = await treeFolder(t)
  const {status, stderr} = await capture(['tar', '-xpf', archive, '-C', folder])
  assert.equal(status, 0, stderr)
  return treeSnapshot(folder)
}
