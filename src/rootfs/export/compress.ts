import type {Duplex, Readable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import * as zlib from 'node:zlib'
import {archiveToolMissingError, toolKilledError} from '../../compression/errors.js'
import type {FindProgram} from '../../compression/host-program.js'
import {ended, start} from '../../host/process.js'
import {compressionFailedError} from '../errors.js'

/** Compression of an exported tarball, named by its usual suffix. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export const EXPORT_FORMATS = ['tar', 'gz', 'xz', 'zst'] as const

const SUFFIXES: readonly (readonly [RegExp, ExportFormat])[] = [
  [/\.(zst|zstd|tzst)$/i, 'zst'],
  [/\.(gz|tgz)$/i, 'gz'],
  [/\.(xz|txz)$/i, 'xz'],
  [/\.tar$/i, 'tar'],
]

/** Returns the format for a file name; undefined for an unknown suffix. */
export function formatOfName(name: string): ExportFormat | undefined {
  return SUFFIXES.find(([suffix]) => suffix.test(name))?.[1]
}

/** Endings of archives, compressions and disk images that are not written here. */
const FOREIGN =
  /\.(?:7z|br|bz2|cpio|deb|ext[234]|img|iso|lz|lz4|lzma|lzo|qcow2|rar|rpm|sfs|sqfs|squashfs|tbz2?|tlz|vhdx?|vmdk|wim|zipx?|z)$/i

/** Returns the ending of a file name that means another format: `.zip`; undefined for any other name. */
export function foreignEnding(name: string): string | undefined {
  return FOREIGN.exec(name)?.[0]
}

/** Returns the default format: zstd, unless this host can't write it. */
export function defaultFormat(which: FindProgram): ExportFormat {
  return which('zstd') !== undefined || hasZstd(zlib) ? 'zst' : 'gz'
}

/**
 * Compresses a stream.
 *
 * @returns The compressed bytes, complete when the iteration ends without an error.
 * @throws {@link archiveToolMissingError} When nothing here can write the format; from the iteration, as the others.
 * @throws {CompressionFailedError | ToolKilledError}
 */
export async function* compress(
  bytes: Readable,
  format: ExportFormat,
  {which, signal}: {which: FindProgram; signal: AbortSignal},
): AsyncGenerator<Buffer> {
  switch (format) {
    case 'tar':
      yield* bytes
      return
    case 'gz':
      yield* throughZlib(bytes, zlib.createGzip(), signal)
      return
    case 'xz': {
      const xz = which('xz')
      if (xz === undefined)
        throw archiveToolMissingError({
          program: 'xz',
          hostPackage: 'xz-utils',
          purpose: 'to write this format',
        })
      yield* throughProgram([xz, '-c', '-T0'], bytes, signal)
      return
    }
    case 'zst': {
      const zstd = which('zstd')
      if (zstd !== undefined) yield* throughProgram([zstd, '-q', '-c', '-T0'], bytes, signal)
      else if (hasZstd(zlib)) yield* throughZlib(bytes, zlib.createZstdCompress(), signal)
      else
        throw archiveToolMissingError({program: 'zstd', hostPackage: 'zstd', purpose: 'to write this format'})
    }
  }
}

type NodeZstd = {createZstdCompress(): Duplex}

/** Since Node 22.15. */
function hasZstd(module: object): module is NodeZstd {
  return 'createZstdCompress' in module
}

async function* throughZlib(bytes: Readable, stream: Duplex, signal: AbortSignal): AsyncGenerator<Buffer> {
  const feeding = pipeline(bytes, stream, {signal})
  // A failure also fails the stream, and the iteration handles it.
  feeding.catch(() => {})
  yield* stream as AsyncIterable<Buffer>
  await feeding
}

async function* throughProgram(
  argv: readonly string[],
  bytes: Readable,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const child = start(argv, {stdio: ['pipe', 'pipe', 'ignore']})
  const stop = () => child.kill('SIGKILL')
  signal.addEventListener('abort', stop)
  const exit = ended(child)
  const feeding = child.stdin === null ? Promise.resolve() : pipeline(bytes, child.stdin, {signal})
  // Both are awaited below; a failure until then must not count as unhandled.
  exit.catch(() => {})
  feeding.catch(() => {})
  try {
    yield* (child.stdout ?? []) as AsyncIterable<Buffer>
    const {status, signal: killer} = await exit
    signal.throwIfAborted()
    const program = argv[0]?.split('/').at(-1) ?? ''
    if (killer !== null) throw toolKilledError({program, signal: killer})
    if (status !== 0) throw compressionFailedError({program, status})
    await feeding
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}
