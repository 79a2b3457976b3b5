import {createHash} from 'node:crypto'
import {closeSync, createReadStream, openSync, writeSync} from 'node:fs'
import {mkdir, rm} from 'node:fs/promises'
import {dirname} from 'node:path'
import {Readable} from 'node:stream'
import {finishSha256} from '../../host/digest.js'
import {isErrno} from '../../host/errno.js'
import {digestMismatchError} from '../../host/errors.js'
import type {BlobSource} from '../../registry/blob-source.js'
import type {Descriptor} from '../../registry/descriptor.js'
import {hexOf} from './container-image.js'

/** A blob that is read once. */
export type BlobReader = {
  /** The bytes; of a blob with a part, one byte whenever the part has grown: its reader reads the file. */
  readonly bytes: Readable
  /** Whether the first bytes came from an earlier, interrupted download. */
  readonly isResumed: () => boolean
  /**
   * Reads the rest, and compares size and digest with those of the descriptor.
   *
   * @throws {DigestMismatchError} @throws As the source.
   */
  verify(): Promise<void>
}

type BlobReaderOptions = {
  /** For messages. */
  readonly name: string
  /** Path of the file that keeps the bytes, for a later download if this one is interrupted; undefined for a source on this host. */
  readonly part: string | undefined
  readonly signal: AbortSignal
  readonly onRead: (readBytes: number) => void
}

const READ_BYTES = 256 * 1024

/**
 * Opens a blob. Its bytes are always those of the digest, or refused, so that an interrupted download continues where it ended,
 * whoever answers.
 */
export function openBlob(source: BlobSource, blob: Descriptor, options: BlobReaderOptions): BlobReader {
  const hash = createHash('sha256')
  let readBytes = 0
  let isResumed = false
  const {part} = options
  const note = (chunk: Buffer): Buffer => {
    hash.update(chunk)
    readBytes += chunk.length
    options.onRead(readBytes)
    return chunk
  }
  const chunks = part === undefined ? fetch() : growth(part)
  const bytes = Readable.from(chunks, {objectMode: false, highWaterMark: READ_BYTES})
  return {
    bytes,
    isResumed: () => isResumed,
    async verify() {
      // The reader stops at what it takes for the end.
      for await (const _ of chunks) {
        // `note` has hashed it.
      }
      const actual = finishSha256(hash.copy())
      const expected = hexOf(blob.digest)
      if (readBytes !== blob.size || actual !== expected)
        throw digestMismatchError({source: options.name, expected, actual})
    },
  }

  async function* fetch(): AsyncGenerator<Buffer> {
    for await (const chunk of await source.blob(blob, {offset: readBytes, signal: options.signal})) {
      yield note(chunk)
      // A source may have more than it said; one byte too many is enough to know.
      if (readBytes > blob.size) return
    }
  }

  async function* growth(path: string): AsyncGenerator<Buffer> {
    for await (const chunk of readPart(path)) {
      isResumed = true
      note(chunk)
      yield GROWN
    }
    if (readBytes >= blob.size) return
    await mkdir(dirname(path), {recursive: true, mode: 0o700})
    const fd = openSync(path, 'a', 0o600)
    try {
      let told = readBytes
      for await (const chunk of fetch()) {
        // A write into the page cache takes less than a switch of threads; a busy disk delays it by 0.2 s at most.
        writeWhole(fd, chunk)
        if (readBytes - told < TELL_BYTES) continue
        told = readBytes
        yield GROWN
      }
      yield GROWN
    } finally {
      closeSync(fd)
    }
  }
}

/** Tells the reader of a part that it has grown. */
const GROWN = Buffer.of(0)

/** Enough that the reader is seldom woken, and little enough that it is not behind at the end. */
const TELL_BYTES = 256 * 1024

function writeWhole(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
}

async function* readPart(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, {highWaterMark: READ_BYTES})
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** Removes the kept bytes of a blob. */
export async function discardPart(path: string): Promise<void> {
  await rm(dirname(path), {recursive: true, force: true})
}
