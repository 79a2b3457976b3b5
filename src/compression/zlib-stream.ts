import type {Transform, TransformOptions} from 'node:stream'
import type {ZlibOptions} from 'node:zlib'
import {codeOf} from '../errors.js'
import type {ChunkSource} from './chunk-source.js'
import {corruptArchiveError} from './errors.js'

/** A decompressor of node:zlib; `bytesWritten` counts the input it has used. */
export type ZlibStream = Transform & {readonly bytesWritten: number}

/** Output pieces this large keep the decompressing thread and the writing thread busy side by side. */
const CHUNK_BYTES = 256 * 1024

/** zlib streams take the options of every stream too, which Node's types leave out. */
export const ZLIB_OPTIONS: ZlibOptions & TransformOptions = {
  chunkSize: CHUNK_BYTES,
  readableHighWaterMark: 2 * CHUNK_BYTES,
}

/**
 * Decompresses until the data says that it is over; what follows is given back to the source.
 *
 * @throws {CorruptArchiveError} Damaged, or cut short.
 */
export async function* throughZlib(
  stream: ZlibStream,
  source: ChunkSource,
  format: string,
): AsyncGenerator<Buffer> {
  const feeding = feed(stream, source)
  // A failing source is met in the iteration below; it must not count as unhandled before.
  feeding.catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))))
  try {
    yield* stream as AsyncIterable<Buffer>
    await feeding
  } catch (error) {
    // Z_DATA_ERROR, Z_BUF_ERROR, ZSTD_error_checksum_wrong and their kin.
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

/** Resolves once zlib is done with the chunk, or is gone. */
function taken(stream: ZlibStream, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      stream.off('end', settle).off('close', settle)
      resolve()
    }
    // Where its data ends, zlib ends the stream without calling back for the chunk.
    stream.once('end', settle).once('close', settle)
    stream.write(chunk, settle)
  })
}
