import {createReadStream, fstatSync, readSync} from 'node:fs'
import {SNIFF_BYTES} from './format.js'

/** The compressed bytes of an archive, with the first of them already seen. */
export type ArchiveInput = {
  readonly start: Buffer
  /** Each piece is good until the next is asked for. */
  readonly bytes: AsyncIterable<Buffer>
  /** A regular file at its beginning: a child may read it without the bytes passing through here. */
  readonly file?: {readonly fd: number; readonly sizeBytes: number}
  /** What a decoder that was started beforehand makes of the file. */
  readonly decoded?: DecodedInput
}

export type DecodedInput = {
  /** A pipe that can be read by blocking calls. */
  readonly fd: number
  /** Gives one line when the decoder has ended: its wait status. @see waitpid(2) */
  readonly statusFd: number
}

/** Large enough that the loop's cost disappears, small enough to stay in the processor's cache. */
const READ_BYTES = 256 * 1024

/**
 * Opens an archive on a file descriptor: a regular file that nobody has read from, or a pipe.
 *
 * @param decoded - Where its decoder was started together with this program (templates/host/decode.pl).
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
 * What can be read from a descriptor, by blocking calls into one buffer: each piece is good until the next is
 * asked for. Whoever opened the descriptor closes it.
 *
 * @param position - Where a regular file is read from; without it, wherever the descriptor is.
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

/** Reads ahead just far enough to tell the format, and gives those bytes again. */
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
