import {
  closeSync,
  createReadStream,
  constants as fileConstants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
} from 'node:fs'
import {constants} from 'node:os'
import {Header} from 'tar/header'
import {corruptArchiveError, toolKilledError} from './errors.js'

const {O_RDONLY, O_NOFOLLOW} = fileConstants

/**
 * Returns the output of a decoder that was started in advance, and checks the decoder's status before the
 * iteration ends.
 *
 * @param program - Its name, for messages.
 * @throws {CorruptArchiveError | ToolKilledError}
 */
export async function* readDecoded({fd, statusFd}: DecodedInput, program: string): AsyncGenerator<Buffer> {
  yield* readDescriptor(fd)
  // The low seven bits are the signal, the high byte the status; see waitpid(2).
  const waitStatus = Number(readFileSync(statusFd, 'latin1'))
  const number = waitStatus & 0x7f
  const signal = Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null
  checkDecoderEnd(program, {
    status: waitStatus >> 8,
    signal: number === 0 ? null : (signal ?? `signal ${number}`),
  })
}

/** @throws {CorruptArchiveError | ToolKilledError} Unless the program ended with status 0. */
export function checkDecoderEnd(
  program: string,
  {status, signal}: {status: number; signal: string | null},
): void {
  if (signal !== null) throw toolKilledError({program, signal})
  if (status !== 0) throw corruptArchiveError({problem: `${program} cannot decompress it`})
}

/** The compressed bytes of an archive, whose beginning was read already. */
export type ArchiveInput = {
  readonly start: Buffer
  /** Each chunk is valid until the next one is requested. */
  readonly bytes: AsyncIterable<Buffer>
  /** A regular file at its beginning: a child process can read it directly. */
  readonly file?: {readonly fd: number; readonly sizeBytes: number}
  /** Output of a decoder that was started in advance for the file. */
  readonly decoded?: DecodedInput
}

export type DecodedInput = {
  /** A pipe that can be read by blocking calls. */
  readonly fd: number
  /** Returns one line at the decoder's end: its wait status. @see waitpid(2) */
  readonly statusFd: number
}

/** Large enough to make the loop's cost negligible, small enough for the processor's cache. */
const READ_BYTES = 256 * 1024

/**
 * Opens an archive on a file descriptor: an unread regular file, or a pipe.
 *
 * @param decoded - If its decoder was started together with this program (templates/host/decode.pl).
 * @throws {NodeJS.ErrnoException}
 */
export async function openArchiveInput(fd: number, decoded?: DecodedInput): Promise<ArchiveInput> {
  const status = fstatSync(fd)
  if (!status.isFile()) {
    const stream = createReadStream('', {fd, autoClose: false, highWaterMark: READ_BYTES})
    return peekArchive(stream.iterator({destroyOnReturn: false}))
  }
  const start = Buffer.alloc(SNIFF_BYTES)
  const length = readSync(fd, start, 0, SNIFF_BYTES, 0)
  return {
    start: start.subarray(0, length),
    bytes: readDescriptor(fd, 0),
    file: {fd, sizeBytes: status.size},
    ...(decoded === undefined ? {} : {decoded}),
  }
}

/**
 * Opens an archive in a file that another process still writes.
 *
 * @param growth - A pipe, read by blocking calls, from which the writer gives bytes when the file has grown; its end is the end
 *   of the archive. The file exists when the first byte comes.
 * @throws {NodeJS.ErrnoException}
 */
export function openGrowingArchive(path: string, growth: number): ArchiveInput {
  const tokens = Buffer.alloc(READ_BYTES)
  const grows = () => readSync(growth, tokens, 0, tokens.length, null) > 0
  if (!grows()) return {start: Buffer.alloc(0), bytes: NOTHING}
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW)
  const start = Buffer.alloc(SNIFF_BYTES)
  let length = 0
  do length = readSync(fd, start, 0, SNIFF_BYTES, 0)
  while (length < SNIFF_BYTES && grows())
  return {start: start.subarray(0, length), bytes: readGrowing(fd, grows)}
}

const NOTHING: AsyncIterable<Buffer> = (async function* () {})()

async function* readGrowing(fd: number, grows: () => boolean): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  let at = 0
  try {
    for (let isWhole = false; ; ) {
      const length = readSync(fd, buffer, 0, READ_BYTES, at)
      at += length
      if (length > 0) yield buffer.subarray(0, length)
      else if (isWhole) return
      else isWhole = !grows()
    }
  } finally {
    closeSync(fd)
  }
}

/**
 * Reads a descriptor by blocking calls into one buffer: each chunk is valid until the next one is requested.
 * The caller closes the descriptor.
 *
 * @param position - Start in a regular file; if left out, the descriptor's own position.
 */
export async function* readDescriptor(fd: number, position?: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  for (let at = position ?? 0; ; ) {
    const length = readSync(fd, buffer, 0, READ_BYTES, position === undefined ? null : at)
    if (length === 0) return
    at += length
    yield buffer.subarray(0, length)
  }
}

/** Reads just enough to detect the format, and returns these bytes again in the iteration. */
export async function peekArchive(source: AsyncIterable<Buffer>): Promise<ArchiveInput> {
  const iterator = source[Symbol.asyncIterator]()
  const seen: Buffer[] = []
  let length = 0
  while (length < SNIFF_BYTES) {
    const next = await iterator.next()
    if (next.done === true) break
    seen.push(next.value)
    length += next.value.length
  }
  return {start: Buffer.concat(seen).subarray(0, SNIFF_BYTES), bytes: resume(seen, iterator)}
}

async function* resume(seen: readonly Buffer[], iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* seen
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}

export type Compression = 'none' | 'gzip' | 'xz' | 'zstd' | 'bzip2'

/** Bytes for `detectCompression`: a whole tar header, which has no magic in the oldest format. */
export const SNIFF_BYTES = 512

const BLOCK_MAGIC = Buffer.from('314159265359', 'hex')
const END_MAGIC = Buffer.from('177245385090', 'hex')

/**
 * Detects a format by its first bytes, not by the file name.
 *
 * @param start - The first {@link SNIFF_BYTES}, or fewer if the input is shorter.
 * @returns Undefined for any other format.
 * @see RFC 1952, RFC 8878 section 3.1, the .xz file format 1.2.1, tar(5)
 */
export function detectCompression(start: Buffer): Compression | undefined {
  if (start.length < 8) return undefined
  if (start.readUInt16BE(0) === 0x1f8b) return 'gzip'
  if (start.toString('latin1', 0, 6) === '\xfd7zXZ\0') return 'xz'
  if (start.readUInt32LE(0) === 0xfd2fb528) return 'zstd'
  // Parallel compressors begin with a skippable frame.
  if (start.readUInt32LE(0) >>> 4 === 0x184d2a5) return 'zstd'
  if (isBzip2(start)) return 'bzip2'
  return isTarHeader(start) ? 'none' : undefined
}

function isBzip2(start: Buffer): boolean {
  const magic = start.subarray(4, 10)
  return (
    /^BZh[1-9]/.test(start.toString('latin1', 0, 4)) && (magic.equals(BLOCK_MAGIC) || magic.equals(END_MAGIC))
  )
}

function isTarHeader(start: Buffer): boolean {
  if (start.length < SNIFF_BYTES) return false
  if (start.toString('latin1', 257, 262) === 'ustar') return true
  // The oldest format has no magic, but a valid checksum by chance is improbable.
  try {
    const {cksumValid, nullBlock} = new Header(start)
    return cksumValid || nullBlock
  } catch {
    return false
  }
}

/** A queue of chunks, of which one can be put back. */
export type ChunkSource = {
  next(): Promise<Buffer | undefined>
  giveBack(chunk: Buffer): void
  close(): Promise<void>
}

export function openChunkSource(bytes: AsyncIterable<Buffer>): ChunkSource {
  const iterator = bytes[Symbol.asyncIterator]()
  let returned: Buffer | undefined
  return {
    async next() {
      if (returned !== undefined) {
        const chunk = returned
        returned = undefined
        return chunk
      }
      const result = await iterator.next()
      return result.done === true ? undefined : result.value
    },
    giveBack(chunk) {
      returned = chunk
    },
    async close() {
      await iterator.return?.()
    },
  }
}

const ZEROS = Buffer.alloc(64 * 1024)

/** Compares by memory blocks: a loop over the bytes would cost more than writing them. */
export function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length)
    if (!piece.equals(ZEROS.subarray(0, piece.length))) return false
  }
  return true
}
