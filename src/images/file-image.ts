import {createHash} from 'node:crypto'
import {type BigIntStats, closeSync, constants, fstatSync, openSync, read} from 'node:fs'
import {Socket} from 'node:net'
import {promisify} from 'node:util'
import {errnoOf} from '../errors.js'
import {finishSha256, type Sha256} from '../host/digest.js'
import type {DigestMemory} from './digest-memory.js'
import {imageChangedError, imageNotFoundError, imageUnreadableError, notAnImageFileError} from './errors.js'
import {type ImageEvidence, judge, type OpenedImage} from './opened-image.js'
import {openStreamImage} from './stream-image.js'

const readDescriptor = promisify(read)

type Options = {
  readonly source: string
  readonly sha256: Sha256 | undefined
  /** Without it the file is read whatever was known of it. */
  readonly digests?: DigestMemory | undefined
}

/** Without O_NONBLOCK a FIFO that nobody writes to would hold a thread, and with it the process's end. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/** One read of the hash: large enough that the calls cost nothing, small enough to let events in between. */
const HASH_CHUNK_BYTES = 1 << 20

/**
 * Opens the archive at `path`, a regular file or a FIFO, once.
 *
 * A regular file goes to the extractor as it is, and its digest is made beside from the same open file: the
 * reader moves the descriptor's own position, the hash reads by offset. That both saw the same bytes is
 * what size and times of the file tell in the end; ctime is one nobody can set back. By the same a file is known whose
 * digest was made before.
 *
 * @throws {ImageNotFoundError}
 * @throws {@link notAnImageFileError}
 * @throws {@link imageUnreadableError}
 */
export function openFileImage(path: string, {source, sha256, digests}: Options): OpenedImage {
  const fd = openForReading(path, source)
  const before = fstatSync(fd, {bigint: true})
  if (before.isFile()) return regularFileImage(fd, before, {source, sha256, digests})
  if (before.isFIFO()) {
    return openStreamImage(new Socket({fd, readable: true, writable: false}), {source, sha256})
  }
  closeSync(fd)
  const reason = before.isDirectory() ? 'it is a folder' : 'it is not a file'
  throw notAnImageFileError({source: `"${source}"`, reason})
}

function regularFileImage(
  fd: number,
  before: BigIntStats,
  {source, sha256: expected, digests}: Options,
): OpenedImage {
  const stop = new AbortController()
  const isStill = () => isUnchanged(before, fstatSync(fd, {bigint: true}))
  const known = digests?.recall(before)
  const hashing = digestOf()
  // Whoever closes early never asks for the result.
  hashing.catch(() => {})
  async function digestOf() {
    if (known !== undefined) return {sha256: known, sizeBytes: Number(before.size)}
    const readAt = new Date()
    const found = await hashFile(fd, {source, signal: stop.signal})
    if (isStill()) await digests?.remember(before, found.sha256, readAt)
    return found
  }
  let closing: Promise<void> | undefined
  async function verify(): Promise<ImageEvidence> {
    const found = await hashing
    if (!isStill()) throw imageChangedError({path: source})
    return judge(found, {source, expected})
  }
  return {
    source,
    layers: [{bytes: {fd}, sizeBytes: Number(before.size)}],
    expected,
    isReadToIdentify: known === undefined,
    identify: verify,
    verify,
    close() {
      stop.abort()
      // A read under way must not find the number in another file's hands.
      const closeNow = () => closeSync(fd)
      closing ??= hashing.then(closeNow, closeNow)
      return closing
    },
  }
}

function openForReading(path: string, source: string): number {
  try {
    return openSync(path, FLAGS)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') throw imageNotFoundError({path: source}, {cause: error})
    // open(2): a socket, or a device without a driver.
    if (errno === 'ENXIO')
      throw notAnImageFileError({source: `"${source}"`, reason: 'it is a socket or a device'}, {cause: error})
    throw imageUnreadableError({source, reason: errno ?? 'unknown reason'}, {cause: error})
  }
}

async function hashFile(
  fd: number,
  {source, signal}: {source: string; signal: AbortSignal},
): Promise<{sha256: Sha256; sizeBytes: number}> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(HASH_CHUNK_BYTES)
  let position = 0
  for (;;) {
    signal.throwIfAborted()
    const bytesRead = await readAt(fd, buffer, position, source)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
  return {sha256: finishSha256(hash), sizeBytes: position}
}

async function readAt(fd: number, buffer: Buffer, position: number, source: string): Promise<number> {
  try {
    return (await readDescriptor(fd, buffer, 0, buffer.length, position)).bytesRead
  } catch (error) {
    throw imageUnreadableError({source, reason: errnoOf(error) ?? 'unknown reason'}, {cause: error})
  }
}

function isUnchanged(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs
}
