import type {ChildProcess} from 'node:child_process'
import {readSync} from 'node:fs'
import {pipeline} from 'node:stream/promises'
import {templatePath} from '../host/paths.js'
import {ended, start} from '../host/process.js'
import {
  type ArchiveInput,
  type Compression,
  checkDecoderEnd,
  detectCompression,
  SNIFF_BYTES,
} from './input.js'

/**
 * Decompresses through a program of the host, which is faster than JavaScript and runs in parallel.
 *
 * Checks the exit status before the iteration ends, so that a consumer never uses a truncated result.
 *
 * @param argv - The program by absolute path, and the arguments that make it a filter.
 * @throws {CorruptArchiveError} When the program ends with another status than 0.
 * @throws {@link toolKilledError} When a signal ended it: that says nothing about the archive.
 */
export async function* throughProgram(argv: readonly string[], input: ArchiveInput): AsyncGenerator<Buffer> {
  const child = start(argv, {stdio: [input.file?.fd ?? 'pipe', 'pipe', 'ignore']})
  const exit = ended(child)
  const feeding = feed(child, input)
  // Both are awaited below; a failure until then must not count as unhandled.
  exit.catch(() => {})
  feeding.catch(() => child.kill())
  try {
    yield* (child.stdout ?? []) as AsyncIterable<Buffer>
    const {status, signal} = await exit
    await feeding
    checkDecoderEnd(argv[0]?.split('/').at(-1) ?? '', {status, signal})
  } finally {
    child.kill('SIGKILL')
  }
}

/** Resolves when all input was passed on, or the child has closed its input; rejects if the source failed. */
async function feed(child: ChildProcess, input: ArchiveInput): Promise<void> {
  const {stdin} = child
  if (stdin === null) return
  let sourceFailure: unknown
  await pipeline(async function* () {
    try {
      yield* input.bytes
    } catch (error) {
      sourceFailure = error
      throw error
    }
  }, stdin).catch(() => {})
  // A child that ends early closes its input (EPIPE): its exit status gives the reason.
  if (sourceFailure !== undefined) throw sourceFailure
}

export type FindProgram = (program: string) => string | undefined

/**
 * 512 MiB suffice for every preset of xz and the long windows of zstd; a higher limit would let an archive
 * exhaust the memory.
 */
const XZ_ARGUMENTS = ['-dc', '-T0', '--memlimit-decompress=512MiB']
const ZSTD_ARGUMENTS = ['-dc', '--memory=512MB']

/** Returns the host's program for a format, by absolute path, with arguments that make it a filter. */
export function hostDecoder(compression: Compression, which: FindProgram): readonly string[] | undefined {
  switch (compression) {
    // Node's zlib is as fast, without a second process.
    case 'none':
    case 'gzip':
      return undefined
    case 'xz':
      return filter(which('xz'), XZ_ARGUMENTS)
    case 'zstd':
      return filter(which('zstd'), ZSTD_ARGUMENTS)
    case 'bzip2':
      return filter(which('lbzip2') ?? which('pbzip2') ?? which('bzip2'), ['-dc'])
  }
}

function filter(program: string | undefined, options: readonly string[]): readonly string[] | undefined {
  return program === undefined ? undefined : [program, ...options]
}

/**
 * Returns a prefix for the worker's argv that starts a decoder of the host together with the worker,
 * connected by a pipe that supports blocking reads. Node's start takes as long as decoding a tenth of a small
 * image, and Node gives its children sockets, which do not support such reads. Empty if the worker must
 * decode by itself.
 *
 * @param fd - A regular file at its beginning.
 */
export function decoderPrefix(fd: number, which: FindProgram): readonly string[] {
  const start = Buffer.alloc(SNIFF_BYTES)
  const length = readSync(fd, start, 0, SNIFF_BYTES, 0)
  const compression = detectCompression(start.subarray(0, length))
  const perl = which('perl')
  const decoder = compression === undefined ? undefined : hostDecoder(compression, which)
  if (perl === undefined || decoder === undefined) return []
  return [perl, templatePath('host/decode.pl'), ...decoder, '--']
}
