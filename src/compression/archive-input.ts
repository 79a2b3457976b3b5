import {createReadStream, fstatSync, readSync} from 'node:fs'
import {SNIFF_BYTES} from './format.js'

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
