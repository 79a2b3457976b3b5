import {ReadableStream} from 'node:stream/web'
import type {ArchiveInput} from './archive-input.js'
import {archiveToolMissingError, corruptArchiveError} from './errors.js'

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
