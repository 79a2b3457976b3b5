import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {test} from 'node:test'
import {openBlob} from '../../../src/images/oci/blob-reader.js'
import type {BlobSource} from '../../../src/registry/blob-source.js'
import {noise} from '../../support/compressed.js'
import {descriptorOf} from '../../support/oci-image.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const BYTES = noise(300_000)
const BLOB = descriptorOf(BYTES, 'application/vnd.oci.image.layer.v1.tar')

/** A source of one blob that breaks after some bytes, and says where each reader began. */
function sourceOf(bytes: Buffer, {breaksAt = Number.POSITIVE_INFINITY} = {}) {
  const offsets: number[] = []
  const source: Pick<BlobSource, 'blob'> = {
    async blob(_, {offset = 0}) {
      offsets.push(offset)
      return Readable.from(
        (async function* () {
          yield bytes.subarray(offset, Math.min(bytes.length, breaksAt))
          if (breaksAt < bytes.length) throw new Error('the connection broke')
        })(),
        {objectMode: false},
      )
    },
  }
  return {source: source as BlobSource, offsets}
}

const options = (part: string | undefined) => ({
  name: 'an image',
  part,
  signal: new AbortController().signal,
  onRead: () => {},
})

test('an interrupted blob continues where it broke, in a later run', async (t) => {
  const part = join(await temporaryFolder(t), 'blob/archive')
  const first = openBlob(sourceOf(BYTES, {breaksAt: 100_000}).source, BLOB, options(part))
  await assert.rejects(buffer(first.bytes), /the connection broke/)
  assert.equal((await readFile(part)).length, 100_000)
  const {source, offsets} = sourceOf(BYTES)
  const second = openBlob(source, BLOB, options(part))
  // The reader is told of the growth, and reads the file.
  assert.ok((await buffer(second.bytes)).length > 0)
  await second.verify()
  assert.deepEqual(await readFile(part), BYTES)
  assert.deepEqual([offsets, second.isResumed()], [[100_000], true])
})

test('a whole part needs no source', async (t) => {
  const part = join(await temporaryFolder(t), 'archive')
  await writeFile(part, BYTES)
  const {source, offsets} = sourceOf(BYTES)
  const reader = openBlob(source, BLOB, options(part))
  assert.ok((await buffer(reader.bytes)).length > 0)
  await reader.verify()
  assert.deepEqual([offsets, await readFile(part)], [[], BYTES])
})

test('a blob of this host has no part', async () => {
  const reader = openBlob(sourceOf(BYTES).source, BLOB, options(undefined))
  assert.deepEqual(await buffer(reader.bytes), BYTES)
  await reader.verify()
})

for (const [what, bytes] of [
  ['other bytes', Buffer.concat([Buffer.from('x'), BYTES.subarray(1)])],
  ['a byte too few', BYTES.subarray(1)],
  ['a byte too many', Buffer.concat([BYTES, Buffer.from('x')])],
] as const) {
  test(`${what} than the descriptor says are refused`, async () => {
    const reader = openBlob(sourceOf(bytes).source, BLOB, options(undefined))
    await buffer(reader.bytes)
    await assert.rejects(reader.verify(), {code: 'ENVS_DIGEST_MISMATCH'})
  })
}
