import * as zlib from 'node:zlib'
import {openChunkSource} from './chunk-source.js'
import {corruptArchiveError} from './errors.js'
import {throughZlib, ZLIB_OPTIONS, type ZlibStream} from './zlib-stream.js'

/**
 * Decompresses zstd frames without the host's zstd.
 *
 * Node supports zstd since 22.15. Before that, a JavaScript decoder finds missing bytes and broken structure,
 * but does not verify a frame's checksum.
 *
 * @throws {CorruptArchiveError} From the iteration.
 */
export function unzstd(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  return hasZstd(zlib) ? framesByNode(bytes, zlib.createZstdDecompress) : framesByScript(bytes)
}

type NodeZstd = {createZstdDecompress(options: typeof ZLIB_OPTIONS): ZlibStream}

function hasZstd(module: object): module is NodeZstd {
  return 'createZstdDecompress' in module
}

/** Node's stream ends after a frame, so every frame gets a new one. */
async function* framesByNode(
  bytes: AsyncIterable<Buffer>,
  create: NodeZstd['createZstdDecompress'],
): AsyncGenerator<Buffer> {
  const source = openChunkSource(bytes)
  try {
    for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) {
      source.giveBack(chunk)
      yield* throughZlib(create(ZLIB_OPTIONS), source, 'zstd')
    }
  } finally {
    await source.close()
  }
}

/**
 * A block of 4 bytes can expand to 128 KiB, and the output of one push is in memory at once: at most 32 MiB.
 */
const PUSH_BYTES = 1024

async function* framesByScript(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const {Decompress} = await import('fzstd')
  let pieces: Buffer[] = []
  const decoder = new Decompress((data) => {
    pieces.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
  })
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += PUSH_BYTES) {
      // The decoder keeps bytes that it can't use yet.
      const piece = Uint8Array.from(chunk.subarray(at, at + PUSH_BYTES))
      decode(() => decoder.push(piece))
      yield* pieces
      pieces = []
    }
  }
  decode(() => decoder.push(new Uint8Array(0), true))
  yield* pieces
}

function decode(step: () => void): void {
  try {
    step()
  } catch (error) {
    throw corruptArchiveError({problem: 'its zstd data cannot be decoded'}, {cause: error})
  }
}
