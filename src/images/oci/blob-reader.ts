import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {mkdir, open, rm} from 'node:fs/promises'
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
  /** Keeps the bytes for a later download if this one is interrupted; undefined for a source on this host. */
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
  const note = (chunk: Buffer): Buffer => {
    hash.update(chunk)
    readBytes += chunk.length
    options.onRead(readBytes)
    return chunk
  }
  const chunks = (async function* () {
    if (options.part !== undefined)
      for await (const chunk of readPart(options.part)) {
        isResumed = true
        yield note(chunk)
      }
    for await (const chunk of fetchRest(source, blob, {...options, offset: () => readBytes}))
      yield note(chunk)
  })()
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
}

async function* readPart(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, {highWaterMark: READ_BYTES})
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

async function* fetchRest(
  source: BlobSource,
  blob: Descriptor,
  {part, signal, offset}: BlobReaderOptions & {readonly offset: () => number},
): AsyncGenerator<Buffer> {
  if (offset() >= blob.size) return
  const file = part === undefined ? undefined : await openPart(part)
  try {
    for await (const chunk of await source.blob(blob, {offset: offset(), signal})) {
      await file?.writeFile(chunk)
      yield chunk
      // A source may have more than it said; one byte too many is enough to know.
      if (offset() > blob.size) return
    }
  } finally {
    await file?.close()
  }
}

async function openPart(path: string) {
  await mkdir(dirname(path), {recursive: true, mode: 0o700})
  return open(path, 'a', 0o600)
}

/** Removes the kept bytes of a blob. */
export async function discardPart(path: string): Promise<void> {
  await rm(dirname(path), {recursive: true, force: true})
}
