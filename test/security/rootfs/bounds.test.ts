import assert from 'node:assert/strict'
import {existsSync, lstatSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {gzipSync} from 'node:zlib'
import {extractionArena} from '../../support/extraction.js'
import {
  file,
  folder,
  gnuLongText,
  paxHeader,
  symlink,
  tarArchive,
  tarMember,
} from '../../support/tar-archive.js'

const REFUSED = {code: 'ENVS_ARCHIVE_REFUSED', exitCode: 6}
const CORRUPT = {code: 'ENVS_ARCHIVE_CORRUPT', exitCode: 6}
const FULL = {code: 'ENVS_STORAGE_FULL', exitCode: 8}

/** A size field in base 256. */
function sizeField(size: bigint): Record<number, Buffer> {
  return {124: Buffer.from(`80${size.toString(16).padStart(22, '0')}`, 'hex')}
}

test('a file that claims more bytes than a number holds is refused', async (t) => {
  const arena = await extractionArena(t)
  await assert.rejects(
    arena.extract(tarArchive(tarMember({name: 'a', patches: sizeField(2n ** 60n)}))),
    CORRUPT,
  )
})

test('a file that claims more than the disk has free is refused before it is made', async (t) => {
  const arena = await extractionArena(t)
  await assert.rejects(arena.extract(tarArchive(tarMember({name: 'a', patches: sizeField(2n ** 50n)}))), FULL)
  assert.equal(existsSync(join(arena.root, 'a')), false)
})

test('a negative size is refused', async (t) => {
  const arena = await extractionArena(t)
  const patches = {124: Buffer.alloc(12, 0xff)}
  await assert.rejects(arena.extract(tarArchive(tarMember({name: 'a', patches}))), CORRUPT)
})

test('many files that together claim more than the bound are refused', async (t) => {
  const arena = await extractionArena(t)
  const archive = tarArchive(file('a', 'x'.repeat(600)), file('b', 'x'.repeat(600)))
  await assert.rejects(arena.extract(archive, {limits: {totalBytes: 1000}}), FULL)
})

test('a bomb of compressed zeros ends at the bound of the disk', async (t) => {
  const arena = await extractionArena(t)
  const bomb = gzipSync(tarArchive(tarMember({data: Buffer.alloc(8 * 2 ** 20), name: 'zeros'})))
  await assert.rejects(arena.extract(bomb, {limits: {totalBytes: 2 ** 20}}), FULL)
})

test('a bomb of compressed zeros behind the end of the archive is refused', async (t) => {
  const arena = await extractionArena(t)
  const bomb = gzipSync(Buffer.concat([tarArchive(file('a')), Buffer.alloc(2 * 2 ** 20)]))
  await assert.rejects(arena.extract(bomb, {limits: {paddingBytes: 2 ** 20}}), CORRUPT)
})

test('a sparse file larger than the bound is refused', async (t) => {
  const arena = await extractionArena(t)
  const records = [
    ['GNU.sparse.map', ''],
    ['GNU.sparse.size', String(2 ** 41)],
  ] as const
  await assert.rejects(arena.extract(tarArchive(paxHeader(records), file('a', ''))), REFUSED)
})

test('a sparse file may be larger than the disk, as long as its data are not', async (t) => {
  const arena = await extractionArena(t)
  const records = [
    ['GNU.sparse.map', ''],
    ['GNU.sparse.size', String(2 ** 39)],
  ] as const
  await arena.extract(tarArchive(paxHeader(records), file('a', '')))
  assert.equal(lstatSync(join(arena.root, 'a')).size, 2 ** 39)
})

test('a header of more than a mebibyte is refused', async (t) => {
  const arena = await extractionArena(t)
  await assert.rejects(arena.extract(tarArchive(gnuLongText('L', 'n'.repeat(2 ** 20)), file('a'))), REFUSED)
})

test('one header more than the bound is refused', async (t) => {
  const arena = await extractionArena(t)
  const archive = tarArchive(file('a'), file('b'), file('c'))
  await assert.rejects(arena.extract(archive, {limits: {members: 2}}), REFUSED)
})

test('headers that only announce others count as well', async (t) => {
  const arena = await extractionArena(t)
  const archive = tarArchive(paxHeader([['comment', 'a']]), paxHeader([['comment', 'b']]), file('c'))
  await assert.rejects(arena.extract(archive, {limits: {members: 2}}), REFUSED)
})

test('a path of more than 3840 bytes is refused', async (t) => {
  const arena = await extractionArena(t)
  await assert.rejects(arena.extract(tarArchive(gnuLongText('L', 'd/'.repeat(1921)), file('a'))), REFUSED)
})

test('a component of more than 255 bytes is refused', async (t) => {
  const arena = await extractionArena(t)
  await assert.rejects(arena.extract(tarArchive(gnuLongText('L', 'n'.repeat(256)), file('a'))), REFUSED)
})

test('a link target of 4096 bytes is refused', async (t) => {
  const arena = await extractionArena(t)
  await assert.rejects(
    arena.extract(tarArchive(gnuLongText('K', 't'.repeat(4096)), symlink('a', 'short'))),
    REFUSED,
  )
})

test('a path that only links make too long is refused', async (t) => {
  const arena = await extractionArena(t)
  const deep = 'd/'.repeat(1900)
  const members = [gnuLongText('L', deep), folder('a'), gnuLongText('K', deep), symlink('s', 'short')]
  await assert.rejects(
    arena.extract(tarArchive(...members, gnuLongText('L', `s/${deep}`), folder('b'))),
    REFUSED,
  )
})

test('a path as deep as the system allows is made', async (t) => {
  const arena = await extractionArena(t)
  const deep = 'd/'.repeat(1900)
  await arena.extract(tarArchive(gnuLongText('L', deep), folder('a')))
  assert.ok(lstatSync(join(arena.root, deep)).isDirectory())
})

const DEEP = 'd/'.repeat(1900)
/** Members that lie below {@link DEEP}; a link's target is short. */
function deepMembers(count: number, member: (name: string) => Buffer): Buffer[] {
  return Array.from({length: count}, () => [gnuLongText('L', `${DEEP}x`), member('x')]).flat()
}

for (const [what, member] of [
  ['file', (name: string) => file(name)],
  ['link', (name: string) => symlink(name, 'y')],
] as const) {
  test(`a ${what} that is replaced again and again far down costs one walk down there`, async (t) => {
    const arena = await extractionArena(t)
    // Each of 1,900 folders once from the root on, then 1,901 components a member.
    const pathSteps = (1900 * 1901) / 2 + 501 * 1901
    await arena.extract(tarArchive(...deepMembers(500, member)), {limits: {pathSteps, memberSteps: 0}})
    assert.ok(lstatSync(join(arena.root, DEEP, 'x')))
  })
}

test('members far down that take more than the bound are refused', async (t) => {
  const arena = await extractionArena(t)
  const members = deepMembers(500, file)
  await assert.rejects(
    arena.extract(tarArchive(...members), {limits: {pathSteps: 2_000_000, memberSteps: 0}}),
    REFUSED,
  )
})

test('links that are replaced so that paths through them are walked anew are refused', async (t) => {
  const arena = await extractionArena(t)
  const round = [symlink('s', '.'), gnuLongText('L', `s/${DEEP}x`), file('x')]
  const members = Array.from({length: 200}, () => round).flat()
  await assert.rejects(arena.extract(tarArchive(...members)), REFUSED)
})

test('what was resolved through a link, or a folder, that was replaced is resolved anew', async (t) => {
  const arena = await extractionArena(t)
  await arena.extract(
    tarArchive(
      ...[folder('a'), folder('b'), symlink('s', 'a'), file('s/x'), symlink('s', 'b'), file('s/y')],
      ...[folder('c'), symlink('c', 'a'), file('c/z')],
    ),
  )
  for (const path of ['a/x', 'b/y', 'a/z']) assert.ok(lstatSync(join(arena.root, path)).isFile(), path)
})
