import {readSync} from 'node:fs'
import {archiveToolMissingError, corruptArchiveError, unknownArchiveError} from './errors.js'
import {BZIP2_END_BYTES, endsBzip2Stream} from './formats.js'
import {type FindProgram, hostDecoder} from './host-program.js'
import {type ArchiveInput, type Compression, detectCompression, readDecoded} from './input.js'

/**
 * Opens the tar inside an archive, for any compression.
 *
 * Do not use the bytes before the iteration has ended without an error: damage may show only at the end.
 *
 * @param which - Finds the host's decompressors.
 * @throws {UnknownArchiveError} When the first bytes are no archive's.
 * @throws {CorruptArchiveError} From the iteration: damaged, cut short, or followed by something else.
 * @throws {@link archiveToolMissingError} When nothing here can read the format.
 */
export function decompress(
  input: ArchiveInput,
  which: FindProgram,
): {compression: Compression; bytes: AsyncIterable<Buffer>} {
  const compression = detectCompression(input.start)
  if (compression === undefined) throw unknownArchiveError()
  return {compression, bytes: open(compression, input, which)}
}

function open(compression: Compression, input: ArchiveInput, which: FindProgram): AsyncIterable<Buffer> {
  switch (compression) {
    case 'none':
      return input.bytes
    case 'gzip':
      return later(async () => (await import('./formats.js')).gunzip(input.bytes))
    case 'xz':
      return (
        decodedByHost(compression, input, which) ??
        later(async () => (await import('./formats.js')).unxz(input))
      )
    case 'zstd':
      return (
        decodedByHost(compression, input, which) ??
        later(async () => (await import('./formats.js')).unzstd(input.bytes))
      )
    case 'bzip2':
      return bunzip2(input, which)
  }
}

/** Uses a program of the host, which may be running already; returns undefined if there is none. */
function decodedByHost(
  compression: Compression,
  input: ArchiveInput,
  which: FindProgram,
): AsyncIterable<Buffer> | undefined {
  if (input.decoded !== undefined) return readDecoded(input.decoded, compression)
  const decoder = hostDecoder(compression, which)
  if (decoder === undefined) return undefined
  return later(async () => (await import('./host-program.js')).throughProgram(decoder, input))
}

/** Loads only the decoder that is needed: each needs modules of Node that take milliseconds to load. */
async function* later(open: () => Promise<AsyncIterable<Buffer>>): AsyncGenerator<Buffer> {
  yield* await open()
}

async function* bunzip2(input: ArchiveInput, which: FindProgram): AsyncGenerator<Buffer> {
  let tail: Buffer = Buffer.alloc(0)
  if (input.file !== undefined) {
    tail = Buffer.alloc(BZIP2_END_BYTES)
    readSync(input.file.fd, tail, 0, tail.length, Math.max(0, input.file.sizeBytes - tail.length))
  }
  const watched = (async function* () {
    for await (const chunk of input.bytes) {
      tail = Buffer.concat([tail, chunk.subarray(-BZIP2_END_BYTES)]).subarray(-BZIP2_END_BYTES)
      yield chunk
    }
  })()
  const bytes = decodedByHost('bzip2', {...input, bytes: watched}, which)
  if (bytes === undefined)
    throw archiveToolMissingError({program: 'bzip2', hostPackage: 'bzip2', purpose: 'to read this archive'})
  yield* bytes
  if (!endsBzip2Stream(tail)) throw corruptArchiveError({problem: 'there is data after its bzip2 stream'})
}
