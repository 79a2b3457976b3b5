import assert from 'node:assert/strict'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {gzipSync} from 'node:zlib'
import {sha256Of} from '../../../../src/host/digest.js'
import {compressed, missingCompressor} from '../../../support/compressed.js'
import {extractionArena} from '../../../support/extraction.js'
import {layer, put} from '../../../support/image-layers.js'

const noZstd = missingCompressor('zstd')
const PLAIN = layer(put('a', 'first'), put('b', 'second'))
/** The layer in two parts, as builders compress each file on its own. */
const PARTS = [PLAIN.subarray(0, 1024), PLAIN.subarray(1024)] as const

/** A frame that decoders skip: the table of contents of zstd:chunked is in such frames. @see RFC 8878, section 3.1.2 */
function skippable(content: string): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(0x184d2a50, 0)
  header.writeUInt32LE(content.length, 4)
  return Buffer.concat([header, Buffer.from(content)])
}

const TABLE = JSON.stringify({version: 1, entries: [{type: 'reg', name: 'a'}]})

const ZSTD: Readonly<Record<string, (parts: readonly Buffer[]) => readonly Buffer[]>> = {
  first: (parts) => [skippable(TABLE), ...parts],
  'between two frames': ([first = Buffer.alloc(0), ...others]) => [first, skippable(TABLE), ...others],
  last: (parts) => [...parts, skippable(TABLE), skippable('footer')],
}

for (const [place, arrange] of Object.entries(ZSTD))
  test(`zstd with a frame to skip ${place} is the plain layer`, {skip: noZstd}, async (t) => {
    const arena = await extractionArena(t)
    const bytes = Buffer.concat(arrange(PARTS.map((part) => compressed('zstd', part))))
    const {compression, diffId} = await arena.extractLayer(bytes)
    assert.deepEqual([compression, diffId], ['zstd', sha256Of(PLAIN)])
    assert.deepEqual(await contentOf(arena.root), {a: 'first', b: 'second'})
  })

test('gzip in members, with the index of eStargz, is the plain layer with the index as a file', async (t) => {
  const arena = await extractionArena(t)
  const landmark = put('.prefetch.landmark', '\x0f')
  const members = [put('a', 'first'), landmark, put('b', 'second'), put('stargz.index.json', TABLE)]
  const plain = layer(...members)
  const end = plain.subarray(-1024)
  // The footer is a member without content.
  const bytes = Buffer.concat([...members, end, Buffer.alloc(0)].map((part) => gzipSync(part)))
  const {compression, diffId} = await arena.extractLayer(bytes)
  assert.deepEqual([compression, diffId], ['gzip', sha256Of(plain)])
  assert.deepEqual(await contentOf(arena.root), {
    '.prefetch.landmark': '\x0f',
    a: 'first',
    b: 'second',
    'stargz.index.json': TABLE,
  })
})

async function contentOf(root: string): Promise<Record<string, string>> {
  const names = (await readdir(root)).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(root, name), 'latin1')])),
  )
}
