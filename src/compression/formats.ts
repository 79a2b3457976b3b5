import type {Transform, TransformOptions} from 'node:stream'
import {ReadableStream} from 'node:stream/web'
import {createGunzip, type ZlibOptions} from 'node:zlib'
import {codeOf} from '../errors.js'
import {archiveToolMissingError, corruptArchiveError} from './errors.js'
import {type ArchiveInput, type ChunkSource, isZero, openChunkSource} from './input.js'

/**
 * Decompresses xz without the host's xz, about three times slower.
 *
 * @throws {CorruptArchiveError} From the iteration; also on what xz calls garbage after the end.
 * @throws {@link archiveToolMissingError} When the archive uses what only the program can read.
 */
export async function* unxz(input: ArchiveInput): AsyncGenerator<Buffer> {
  if (needsXzProgram(input.start))
    throw archiveToolMissingError({program: 'xz', hostPackage: 'xz-utils', purpose: 'to read this archive'})
  // CommonJS: Node provides its exports as `default`, and loaders that know its __esModule flag directly too.
  const loaded = await import('xz-decompress')
  const {XzReadableStream} = loaded.default ?? loaded
  const iterator = input.bytes[Symbol.asyncIterator]()
  let sourceFailure: unknown
  const compressed = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await iterator.next()
        if (next.done === true) controller.close()
        // The stream requests the next chunk while it still uses this one.
        else controller.enqueue(Uint8Array.from(next.value))
      } catch (error) {
        sourceFailure = error
        controller.error(error)
      }
    },
    async cancel() {
      await iterator.return?.()
    },
  })
  try {
    for await (const chunk of new XzReadableStream(compressed)) {
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    }
  } catch (error) {
    throw sourceFailure ?? corruptArchiveError({problem: 'its xz data cannot be decoded'}, {cause: error})
  }
}

const FILTER_LZMA2 = 0x21
const CHECK_SHA256 = 0x0a
/** Dictionary size code of 64 MiB, the decoder's limit. */
const LARGEST_DICTIONARY = 28

/**
 * Returns whether the first block uses a check, a filter or a dictionary that the WebAssembly decoder lacks.
 *
 * @see The .xz file format 1.2.1, sections 2.1.1.2 (stream flags), 3.1 (block header), 5.3.1 (LZMA2)
 */
function needsXzProgram(start: Buffer): boolean {
  if (start.length < 24) return false
  if (((start[7] ?? 0) & 0x0f) === CHECK_SHA256) return true
  const blockHeader = start.subarray(12)
  if (blockHeader[0] === 0) return false
  const flags = blockHeader[1] ?? 0
  // LZMA2 is always the last filter: with a second one, a delta or branch filter precedes it.
  if ((flags & 0x03) !== 0) return true
  let at = 2
  for (const present of [flags & 0x40, flags & 0x80]) {
    if (present === 0) continue
    while (((blockHeader[at] ?? 0) & 0x80) !== 0) at++
    at++
  }
  return blockHeader[at] !== FILTER_LZMA2 || (blockHeader[at + 2] ?? 0) > LARGEST_DICTIONARY
}

/**
 * Decompresses zstd frames without the host's zstd.
 *
 * Node supports zstd since 22.15. Before that, a JavaScript decoder finds missing bytes and broken structure,
 * but does not verify a frame's checksum.
 *
 * @throws {CorruptArchiveError} From the iteration.
 */
export async function* unzstd(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  // Imported as a whole, the module would be loaded by each command that may have to decompress.
  const zlib = await import('node:zlib')
  yield* hasZstd(zlib) ? framesByNode(bytes, zlib.createZstdDecompress) : framesByScript(bytes)
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
      throw corruptArchiveError({problem: `its ${format} data cannot be decoded`}, {cause: error})
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

/**
 * Inflates one or more gzip members. Zeros may follow, as gzip(1) allows; other bytes are an error.
 *
 * @throws {CorruptArchiveError} From the iteration.
 */
export async function* gunzip(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = openChunkSource(bytes)
  try {
    yield* throughZlib(createGunzip(ZLIB_OPTIONS), source, 'gzip')
    // zlib stops at a zero after a member, so check the rest here.
    for (let rest = await source.next(); rest !== undefined; rest = await source.next()) {
      if (!isZero(rest)) throw corruptArchiveError({problem: 'there is data after its gzip stream'})
    }
  } finally {
    await source.close()
  }
}

/** Longest tail with the end marker, its checksum and the padding to a byte. */
export const BZIP2_END_BYTES = 11

const END_MARKER = 0x177245385090n

/**
 * Returns whether these are the last bytes of a bzip2 stream: bzip2(1) ignores trailing bytes, and reports
 * them only on standard error.
 *
 * @param tail - The last {@link BZIP2_END_BYTES} of the input.
 * @see bzip2 has no specification; the layout (48-bit marker, 32-bit checksum, zero bits to the byte) is that
 * of its decoder.
 */
export function endsBzip2Stream(tail: Buffer): boolean {
  const bits = BigInt(`0x00${tail.toString('hex')}`)
  for (let padding = 0n; padding < 8n; padding++) {
    if (((bits >> (padding + 32n)) & 0xffffffffffffn) === END_MARKER) return true
  }
  return false
}
