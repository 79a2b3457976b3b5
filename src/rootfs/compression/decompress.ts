import {readSync} from 'node:fs'
import {CorruptArchiveError, ToolMissingError, UnknownArchiveError} from '../errors.js'
import type {ArchiveInput} from './archive-input.js'
import {BZIP2_END_BYTES, endsBzip2Stream} from './bzip2-end.js'
import {type Compression, detectCompression} from './format.js'
import {gunzip} from './gzip.js'
import {throughProgram} from './host-program.js'
import {unxz} from './xz.js'
import {unzstd} from './zstd.js'

export type FindProgram = (program: string) => string | undefined

/** 512 MiB decode every preset of xz and the long windows of zstd; more would let an archive eat the memory. */
const XZ_ARGUMENTS = ['-dc', '-T0', '--memlimit-decompress=512MiB']
const ZSTD_ARGUMENTS = ['-dc', '--memory=512MB']

/**
 * Opens the tar inside an archive, whatever it is compressed with.
 *
 * The bytes given so far mean nothing until the iteration has ended without an error: damage may show last.
 *
 * @param which - Finds the host's decompressors.
 * @throws {UnknownArchiveError} When the first bytes are no archive's.
 * @throws {CorruptArchiveError} From the iteration: damaged, cut short, or followed by something else.
 * @throws {ToolMissingError} When nothing here can read the format.
 */
export function decompress(
  input: ArchiveInput,
  which: FindProgram,
): {compression: Compression; bytes: AsyncIterable<Buffer>} {
  const compression = detectCompression(input.start)
  if (compression === undefined) throw new UnknownArchiveError()
  return {compression, bytes: open(compression, input, which)}
}

function open(compression: Compression, input: ArchiveInput, which: FindProgram): AsyncIterable<Buffer> {
  switch (compression) {
    case 'none':
      return input.bytes
    case 'gzip':
      return gunzip(input.bytes)
    case 'xz': {
      const xz = which('xz')
      return xz === undefined ? unxz(input) : throughProgram([xz, ...XZ_ARGUMENTS], input, which)
    }
    case 'zstd': {
      const zstd = which('zstd')
      return zstd === undefined
        ? unzstd(input.bytes)
        : throughProgram([zstd, ...ZSTD_ARGUMENTS], input, which)
    }
    case 'bzip2': {
      const bzip2 = which('lbzip2') ?? which('pbzip2') ?? which('bzip2')
      if (bzip2 === undefined) throw new ToolMissingError('bzip2', 'bzip2', 'to read this archive')
      return bunzip2(bzip2, input, which)
    }
  }
}

async function* bunzip2(program: string, input: ArchiveInput, which: FindProgram): AsyncGenerator<Buffer> {
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
  yield* throughProgram([program, '-dc'], {...input, bytes: watched}, which)
  if (!endsBzip2Stream(tail)) throw new CorruptArchiveError('something follows its bzip2 data')
}
