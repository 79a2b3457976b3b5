import type {Transform, TransformOptions} from 'node:stream'
import type {ZlibOptions} from 'node:zlib'
import {codeOf} from '../errors.js'
import type {ChunkSource} from './chunk-source.js'
import {corruptArchiveError} from './errors.js'

/** A decompressor of node:zlib; `bytesWritten` counts the consumed input. */
export type ZlibStream = Transform & {readonly bytesWritten: number}

/** Output chunks of this size keep the decompressing and the writing thread busy in parallel. */
const CHUNK_BYTES = 256 * 1024

/** zlib streams also accept the options of every stream, which Node's types omit. */
export const ZLIB_OPTIONS: ZlibOptions & TransformOptions = {
  chunkSize: CHUNK_BYTES,
  readableHighWaterMark: 2 * CHUNK_BYTES,
}

/**
 * Decompresses to the end of the compressed data, and puts the remaining bytes back into the source.
 *
 * @throws {CorruptArchiveError} If the data are damaged or truncated.
 */
export async function* throughZlib(
  stream: ZlibStream,
  source: ChunkSource,
  format: string,
): AsyncGenerator<Buffer> {
  const feeding = feed(stream, source)
  // The iteration below handles a failed source; until then it must not count as unhandled.
  feeding.catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))))
  try {
    yield* stream as AsyncIterable<Buffer>
    await feeding
  } catch (error) {
    // Z_DATA_ERROR, Z_BUF_ERROR, ZSTD_error_checksum_wrong and similar codes.
    if (codeOf(error)?.startsWith('Z')) {
      throw corruptArchiveError({problem: `its ${format} data does not decode`}, {cause: error})
    }
    throw error
  } finally {
    stream.destroy()
  }
}

async function feed(stream: ZlibStream, source: ChunkSource): Promise<void> {
  let fedBytes = 0
  for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) {
    fedBytes += chunk.length
    await taken(stream, chunk)
    const unreadBytes = fedBytes - stream.bytesWritten
    if (unreadBytes > 0) {
      source.giveBack(chunk.subarray(chunk.length - unreadBytes))
      return
    }
    if (stream.destroyed) return
  }
  stream.end()
}

/** Resolves when zlib has consumed the chunk, or was destroyed. */
function taken(stream: ZlibStream, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      stream.off('end', settle).off('close', settle)
      resolve()
    }
    // At the end of its data, zlib ends the stream without calling back for the chunk.
    stream.once('end', settle).once('close', settle)
    stream.write(chunk, settle)
  })
}
