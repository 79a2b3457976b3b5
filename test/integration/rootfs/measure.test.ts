import assert from 'node:assert/strict'
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {measureTree} from '../../../src/rootfs/measure.js'
import {extractionArena} from '../../support/extraction.js'

const allocated = (path: string) => lstatSync(path).blocks * 512

test('a tree takes what its files and folders have allocated, a hard-linked file once', async (t) => {
  const {root} = await extractionArena(t)
  mkdirSync(join(root, 'folder'))
  writeFileSync(join(root, 'folder/file'), Buffer.alloc(100_000, 'x'))
  linkSync(join(root, 'folder/file'), join(root, 'second'))
  const sizeBytes = [root, join(root, 'folder'), join(root, 'second')].map(allocated).reduce((a, b) => a + b)
  assert.deepEqual(measureTree(root), {entries: 4, sizeBytes, unreadable: 0})
})

test('a hole takes nothing', async (t) => {
  const {root} = await extractionArena(t)
  const fd = openSync(join(root, 'hole'), 'w')
  ftruncateSync(fd, 10_000_000)
  closeSync(fd)
  assert.ok(measureTree(root).sizeBytes < 1_000_000)
})

test('a link to the outside counts as itself', async (t) => {
  const {outside, root} = await extractionArena(t)
  writeFileSync(join(outside, 'sentinel.txt'), Buffer.alloc(1_000_000, 'x'))
  symlinkSync(outside, join(root, 'link'))
  assert.equal(measureTree(root).entries, 2)
})

test('a tree that is not there takes nothing', async (t) => {
  const {root} = await extractionArena(t)
  assert.deepEqual(measureTree(join(root, 'none')), {entries: 0, sizeBytes: 0, unreadable: 0})
})

const isRoot = process.getuid?.() === 0

test('a folder that may not be read is counted as such', {
  skip: isRoot && 'root may read every folder',
}, async (t) => {
  const {root} = await extractionArena(t)
  mkdirSync(join(root, 'closed/inside'), {recursive: true})
  chmodSync(join(root, 'closed'), 0)
  assert.deepEqual(measureTree(root), {
    entries: 2,
    sizeBytes: allocated(root) + allocated(join(root, 'closed')),
    unreadable: 1,
  })
})
