import assert from 'node:assert/strict'
import {lstatSync, readFileSync, readlinkSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {extractionArena, UNTOUCHED} from '../../support/extraction.js'
import {file, folder, hardlink, symlink, tarArchive, tarMember} from '../../support/tar-archive.js'

test('an absolute name lands inside the root', async (t) => {
  const arena = await extractionArena(t)
  await arena.extract(tarArchive(file('/etc/passwd', 'inside')))
  assert.equal(readFileSync(join(arena.root, 'etc/passwd'), 'utf8'), 'inside')
})

test('a file written through a link with an absolute target lands inside the root', async (t) => {
  const arena = await extractionArena(t)
  await arena.extract(tarArchive(symlink('out', arena.outside), file('out/sentinel.txt', 'pwned')))
  assert.equal(readFileSync(join(arena.root, arena.outside, 'sentinel.txt'), 'utf8'), 'pwned')
  assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
})

test('a file written through a link that climbs stays at the root', async (t) => {
  const arena = await extractionArena(t)
  await arena.extract(tarArchive(symlink('out', '../../..'), file('out/sentinel.txt', 'pwned')))
  assert.equal(readFileSync(join(arena.root, 'sentinel.txt'), 'utf8'), 'pwned')
  assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
})

test('a chain of links that climbs step by step stays at the root', async (t) => {
  const arena = await extractionArena(t)
  const members = [
    folder('a'),
    symlink('a/up', '..'),
    symlink('a/top', 'up/..'),
    file('a/top/sentinel.txt', 'pwned'),
  ]
  await arena.extract(tarArchive(...members))
  assert.equal(readFileSync(join(arena.root, 'sentinel.txt'), 'utf8'), 'pwned')
  assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
})

test('a file in the place of a link replaces the link, not its target', async (t) => {
  const arena = await extractionArena(t)
  await arena.extract(tarArchive(symlink('a', join(arena.outside, 'sentinel.txt')), file('a', 'pwned')))
  assert.ok(lstatSync(join(arena.root, 'a')).isFile())
  assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
})

test('a hard link to a link gives the link, and a file in its place leaves the target alone', async (t) => {
  const arena = await extractionArena(t)
  const target = join(arena.outside, 'sentinel.txt')
  await arena.extract(tarArchive(symlink('a', target), hardlink('b', 'a'), file('b', 'pwned')))
  assert.equal(readlinkSync(join(arena.root, 'a')), target)
  assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
})

test('a hard link through a link that leads out finds nothing there', async (t) => {
  const arena = await extractionArena(t)
  const members = [symlink('out', arena.outside), hardlink('inside', 'out/sentinel.txt')]
  await assert.rejects(arena.extract(tarArchive(...members)), {code: 'ENVS_ARCHIVE_REFUSED'})
  assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
})

test('a link put in the place of a folder that files were written to before is followed inside the root', async (t) => {
  const arena = await extractionArena(t)
  const members = [
    folder('d'),
    folder('d/e'),
    symlink('d/e', arena.outside),
    file('d/e/sentinel.txt', 'pwned'),
  ]
  await arena.extract(tarArchive(...members))
  assert.equal(readFileSync(join(arena.root, arena.outside, 'sentinel.txt'), 'utf8'), 'pwned')
  assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
})

test('modes and times of a folder are not given to what a link in its place leads to', async (t) => {
  const arena = await extractionArena(t)
  const before = lstatSync(arena.outside)
  const members = [folder('d', 0o700), tarMember({mode: 0o777, modified: 1, name: 'd/e', type: '5'})]
  await arena.extract(tarArchive(...members, symlink('d/e', arena.outside)))
  const after = lstatSync(arena.outside)
  assert.deepEqual([after.mode, after.mtimeMs], [before.mode, before.mtimeMs])
})

test('a FIFO is not made through a link that a later member put in the place of its folder', async (t) => {
  const arena = await extractionArena(t)
  const members = [folder('d'), tarMember({name: 'd/pipe', type: '6'}), symlink('d', arena.outside)]
  await arena.extract(tarArchive(...members))
  assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
  assert.ok(lstatSync(join(arena.root, arena.outside, 'pipe')).isFIFO())
})

test('a folder named where a link to a folder stands keeps the link', async (t) => {
  const arena = await extractionArena(t)
  const members = [
    folder('usr'),
    folder('usr/bin'),
    symlink('bin', 'usr/bin'),
    folder('bin', 0o700),
    file('bin/sh', 'sh'),
  ]
  await arena.extract(tarArchive(...members))
  assert.equal(readlinkSync(join(arena.root, 'bin')), 'usr/bin')
  assert.equal(readFileSync(join(arena.root, 'usr/bin/sh'), 'utf8'), 'sh')
  assert.equal(lstatSync(join(arena.root, 'usr/bin')).mode & 0o7777, 0o755)
})

test('members below a link come right before its target has come', async (t) => {
  const arena = await extractionArena(t)
  const members = [
    symlink('bin', 'usr/bin'),
    file('bin/sh', 'sh'),
    folder('usr', 0o711),
    folder('usr/bin', 0o711),
  ]
  await arena.extract(tarArchive(...members))
  assert.equal(readFileSync(join(arena.root, 'usr/bin/sh'), 'utf8'), 'sh')
  assert.equal(lstatSync(join(arena.root, 'usr/bin')).mode & 0o7777, 0o711)
})
