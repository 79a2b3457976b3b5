import {availableParallelism} from 'node:os'
import {Readable} from 'node:stream'
import {promisify} from 'node:util'
import {gzip} from 'node:zlib'
import type {FindProgram} from '../../compression/host-program.js'
import {compress} from '../export/compress.js'

/** Compression of a layer. */
export type LayerCompression = (typeof LAYER_COMPRESSIONS)[number]

export const LAYER_COMPRESSIONS = ['gzip', 'zstd', 'none'] as const

/** Compresses the bytes of a layer. @throws As `compress`, from the iteration. */
export async function* compressLayer(
  bytes: AsyncIterable<Buffer>,
  compression: LayerCompression,
  tools: {readonly which: FindProgram; readonly signal: AbortSignal},
): AsyncGenerator<Buffer> {
  switch (compression) {
    case 'none':
      yield* bytes
      return
    case 'gzip':
      yield* gzipMembers(bytes)
      return
    case 'zstd':
      yield* compress(Readable.from(bytes, {objectMode: false}), 'zst', tools)
  }
}

/** Small enough for several at once, large enough that the ratio is that of one member within a thousandth. */
const MEMBER_BYTES = 2 ** 20

const deflate = promisify(gzip)

/**
 * Compresses to gzip in members of the same size, several at once: as one stream, it would take one processor. The members do
 * not depend on how the bytes arrive.
 *
 * @see RFC 1952, section 2.2: a file is a series of members
 */
async function* gzipMembers(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const running: Promise<Buffer>[] = []
  const most = availableParallelism() + 1
  let count = 0
  for await (const member of slicesOf(bytes)) {
    count++
    const work = deflate(member)
    // Awaited below; a failure until then must not count as unhandled.
    work.catch(() => {})
    running.push(work)
    const first = running.length > most ? running.shift() : undefined
    if (first !== undefined) yield await first
  }
  for (const each of running) yield await each
  if (count === 0) yield await deflate(Buffer.alloc(0))
}

/** Returns the bytes in pieces of {@link MEMBER_BYTES}; the last one is shorter. */
async function* slicesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = []
  let length = 0
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + MEMBER_BYTES - length)
      pieces.push(piece)
      length += piece.length
      at += piece.length
      if (length < MEMBER_BYTES) continue
      yield Buffer.concat(pieces)
      pieces = []
      length = 0
    }
  }
  if (length > 0) yield Buffer.concat(pieces)
}
