import assert from 'node:assert/strict'
import {test} from 'node:test'
import {gzipSync} from 'node:zlib'
import {extractionArena} from '../../support/extraction.js'
import {dir, gone, hard, layer, put} from '../../support/image-layers.js'

const REFUSED = {code: 'ENVS_ARCHIVE_REFUSED', exitCode: 6}
const CORRUPT = {code: 'ENVS_ARCHIVE_CORRUPT', exitCode: 6}
const FULL = {code: 'ENVS_STORAGE_FULL', exitCode: 8}

const HUNDRED = Array.from({length: 100}, (_, index) => String(index))

/** Members that make no file count as others do: each costs time. */
const MANY = {
  files: layer(...HUNDRED.map((name) => put(name, ''))),
  whiteouts: layer(...HUNDRED.map((name) => gone(name))),
  'hard links to the layer below': layer(...HUNDRED.map((name) => hard(name, 'below'))),
}

for (const [what, bytes] of Object.entries(MANY))
  test(`a layer of too many ${what} is refused`, async (t) => {
    const arena = await extractionArena(t)
    await assert.rejects(arena.extractLayer(bytes, {limits: {members: 99}}), REFUSED)
  })

test('a layer that unpacks to more than the disk has free is refused', async (t) => {
  const arena = await extractionArena(t)
  const bomb = gzipSync(layer(put('zeros', Buffer.alloc(8 * 2 ** 20))))
  await assert.rejects(arena.extractLayer(bomb, {limits: {totalBytes: 2 ** 20}}), FULL)
})

test('a layer of many small files that together are too large is refused', async (t) => {
  const arena = await extractionArena(t)
  const bytes = layer(...HUNDRED.map((name) => put(name, 'x'.repeat(100))))
  await assert.rejects(arena.extractLayer(bytes, {limits: {totalBytes: 9_999}}), FULL)
})

test('zeros without end behind a layer are refused', async (t) => {
  const arena = await extractionArena(t)
  const bomb = gzipSync(Buffer.concat([layer(put('a', '1')), Buffer.alloc(2 * 2 ** 20)]))
  await assert.rejects(arena.extractLayer(bomb, {limits: {paddingBytes: 2 ** 20}}), CORRUPT)
})

test('whiteouts with more bytes of names than a layer may keep are refused', async (t) => {
  const arena = await extractionArena(t)
  // Each mark keeps its whole path.
  const folder = Array.from({length: 14}, () => 'd'.repeat(250)).join('/')
  const mark = gone(`${folder}/0000`)
  // The name is in the pax header alone, which has no checksum.
  const marks = Array.from({length: 2_500}, (_, index) => {
    const copy = Buffer.from(mark)
    copy.write(String(index).padStart(4, '0'), mark.indexOf('.wh.0000') + '.wh.'.length)
    return copy
  })
  await assert.rejects(arena.extractLayer(layer(dir('e'), ...marks)), {
    ...REFUSED,
    message: /the whiteouts and folders of its layer have \d+ bytes of names/,
  })
})
