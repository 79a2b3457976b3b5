import assert from 'node:assert/strict'
import {chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {removeEntries} from '../../../src/rootfs/remove.js'
import {extractionArena, UNTOUCHED} from '../../support/extraction.js'

test('a tree is removed and every entry counted', async (t) => {
  const {root} = await extractionArena(t)
  mkdirSync(join(root, 'a/b'), {recursive: true})
  writeFileSync(join(root, 'a/b/file'), '')
  symlinkSync('nowhere', join(root, 'a/link'))
  assert.deepEqual(removeEntries(root), {failures: [], removed: 5})
  assert.equal(existsSync(root), false)
})

test('folders that nobody may enter, read or write are removed', async (t) => {
  const {root} = await extractionArena(t)
  mkdirSync(join(root, 'a/b/c'), {recursive: true})
  writeFileSync(join(root, 'a/b/file'), '')
  for (const [folder, mode] of [
    ['a/b/c', 0],
    ['a/b', 0o111],
    ['a', 0],
    ['', 0o555],
  ] as const) {
    chmodSync(join(root, folder), mode)
  }
  assert.deepEqual(removeEntries(root), {failures: [], removed: 5})
})

test('links to the outside are removed, not followed', async (t) => {
  const {outside, outsideContents, root} = await extractionArena(t)
  symlinkSync(outside, join(root, 'folder'))
  symlinkSync(join(outside, 'sentinel.txt'), join(root, 'file'))
  assert.deepEqual(removeEntries(root).failures, [])
  assert.deepEqual(await outsideContents(), UNTOUCHED)
})

test('a link in the place of the tree is removed, not followed', async (t) => {
  const {outside, outsideContents, root} = await extractionArena(t)
  symlinkSync(outside, join(root, 'tree'))
  assert.deepEqual(removeEntries(join(root, 'tree')), {failures: [], removed: 1})
  assert.deepEqual(await outsideContents(), UNTOUCHED)
})

test('names that are not UTF-8 are removed', async (t) => {
  const {root} = await extractionArena(t)
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), '')
  mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x80])]))
  assert.deepEqual(removeEntries(root), {failures: [], removed: 3})
})

test('nothing to remove is no failure', async (t) => {
  const {root} = await extractionArena(t)
  assert.deepEqual(removeEntries(join(root, 'none')), {failures: [], removed: 0})
  assert.deepEqual(removeEntries(join(root, 'none/below')), {failures: [], removed: 0})
})

test('folders deeper than a path can name are removed', async (t) => {
  const {root} = await extractionArena(t)
  const before = process.cwd()
  t.after(() => process.chdir(before))
  process.chdir(root)
  for (let level = 0; level < 3000; level++) {
    mkdirSync('dd')
    process.chdir('dd')
  }
  writeFileSync('file', '')
  process.chdir(before)
  assert.deepEqual(removeEntries(root), {failures: [], removed: 3002})
})

test('what can not be removed is reported with its path and errno', () => {
  const {failures, removed} = removeEntries('/proc/self/fdinfo')
  assert.equal(removed, 0)
  assert.match(failures[0]?.path ?? '', /^\/proc\/self\/fdinfo\/\d+$/)
  assert.match(failures[0]?.code ?? '', /^EPERM|EACCES$/)
})

test('the folder of the tree may be reached through a link of the user', async (t) => {
  const {outside, root} = await extractionArena(t)
  mkdirSync(join(root, 'tree'))
  symlinkSync(root, join(outside, 'sentinel-link'))
  assert.deepEqual(removeEntries(join(outside, 'sentinel-link/tree')), {failures: [], removed: 1})
})
