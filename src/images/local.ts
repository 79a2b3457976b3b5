import {createHash} from 'node:crypto'
import {type BigIntStats, closeSync, constants, fstatSync, openSync, read} from 'node:fs'
import {Socket} from 'node:net'
import {join} from 'node:path'
import {pipeline, type Readable, Transform} from 'node:stream'
import {finished} from 'node:stream/promises'
import {promisify} from 'node:util'
import {codeOf, errnoOf, wordsForErrno} from '../errors.js'
import {openMemory} from '../host/cache.js'
import {finishSha256, type Sha256} from '../host/digest.js'
import {sha256Field} from '../host/records.js'
import {imageChangedError, imageUnreadableError, noFileError, notAnImageFileError} from './errors.js'
import {type ImageEvidence, identifyByDigest, judge, type OpenedTarballs} from './opened-image.js'

const readDescriptor = promisify(read)

/** Facts that show whether a file was written to: only the kernel sets ctime. */
export type FileFacts = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

/** Remembers digests of files, by the facts that the kernel reports. */
export type DigestMemory = {
  /** @returns undefined for a file that was never read, or that may have been written to since. */
  recall(facts: FileFacts): Sha256 | undefined
  /** @param readAt - Time at which reading began. */
  remember(facts: FileFacts, sha256: Sha256, readAt: Date): Promise<void>
}

type FileImageOptions = {
  readonly source: string
  readonly sha256: Sha256 | undefined
  /** Known digests; without them the file is always read. */
  readonly digests?: DigestMemory | undefined
}

/** Without O_NONBLOCK, a FIFO without a writer would block a thread and the exit of the process. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/** Size of one read: large enough for few calls, small enough to let the event loop run. */
const HASH_CHUNK_BYTES = 1 << 20

/**
 * Opens the tarball at `path`, a regular file or a FIFO, once.
 *
 * A regular file is passed to the extractor as a descriptor and hashed in parallel from the same descriptor: the
 * extractor moves the file position, the hash reads by offset. Unchanged size, mtime and ctime at the end prove
 * that both read the same bytes; no user can set ctime back. The same values identify a file whose digest is
 * known.
 *
 * @throws {ImageNotFoundError}
 * @throws {@link notAnImageFileError}
 * @throws {@link imageUnreadableError}
 */
export function openFileImage(path: string, {source, sha256, digests}: FileImageOptions): OpenedTarballs {
  const fd = openForReading(path, source)
  const before = fstatSync(fd, {bigint: true})
  if (before.isFile()) return regularFileImage(fd, before, {source, sha256, digests})
  if (before.isFIFO()) {
    return openStreamImage(new Socket({fd, readable: true, writable: false}), {source, sha256})
  }
  closeSync(fd)
  const reason = before.isDirectory() ? 'it is a folder' : 'it is not a regular file'
  throw notAnImageFileError({source: `"${source}"`, reason})
}

function regularFileImage(
  fd: number,
  before: BigIntStats,
  {source, sha256: expected, digests}: FileImageOptions,
): OpenedTarballs {
  const stop = new AbortController()
  const isStable = () => isUnchanged(before, fstatSync(fd, {bigint: true}))
  const known = digests?.recall(before)
  const hashing = digestOf()
  // A caller that closes early never awaits the result.
  hashing.catch(() => {})
  async function digestOf() {
    if (known !== undefined) return {sha256: known, sizeBytes: Number(before.size)}
    const readAt = new Date()
    const found = await hashFile(fd, {source, signal: stop.signal})
    if (isStable()) await digests?.remember(before, found.sha256, readAt)
    return found
  }
  let closing: Promise<void> | undefined
  async function verify(): Promise<ImageEvidence> {
    const found = await hashing
    if (!isStable()) throw imageChangedError({path: source})
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
      // The descriptor number must not be reused during a pending read.
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
    if (errno === 'ENOENT' || errno === 'ENOTDIR') throw noFileError(source, {cause: error})
    // open(2): a socket, or a device without a driver.
    if (errno === 'ENXIO')
      throw notAnImageFileError({source: `"${source}"`, reason: 'it is a socket or a device'}, {cause: error})
    throw imageUnreadableError(
      {source, reason: errno === undefined ? 'unknown reason' : wordsForErrno(errno)},
      {cause: error},
    )
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
    throw imageUnreadableError(
      {source, reason: wordsForErrno(errnoOf(error) ?? 'unknown reason')},
      {cause: error},
    )
  }
}

function isUnchanged(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs
}

/** Limits the cache: files beyond this number are hashed again. */
const MOST_ENTRIES = 50

/**
 * Minimum age of a file before its digest is remembered: two writes within one tick of the kernel's clock leave
 * the same times. No tick, and no clock difference to a file server, is as long.
 */
const SETTLED_AFTER_MS = 5000

/**
 * Opens the digest cache, which avoids reading a large tarball again for each environment.
 *
 * The cache is in the user's own cache folder, and an entry is used only while device, inode, size, mtime and
 * ctime are unchanged. A user who can forge an entry can change the environments as well.
 */
export function openDigestMemory(cacheFolder: string): DigestMemory {
  const memory = openMemory(join(cacheFolder, 'digests.json'), {schema: sha256Field, most: MOST_ENTRIES})
  return {
    recall: (facts) => memory.recall(keyOfFile(facts)),
    async remember(facts, sha256, readAt) {
      const changedAtMs = Number(facts.ctimeNs / 1_000_000n)
      if (readAt.getTime() - changedAtMs >= SETTLED_AFTER_MS) await memory.remember(keyOfFile(facts), sha256)
    },
  }
}

function keyOfFile({dev, ino, size, mtimeNs, ctimeNs}: FileFacts): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}

/** The standard input of the process, or a stream in its place. */
export type StandardInput = Readable & {readonly isTTY?: boolean}

/** Opens the tarball on standard input. @throws {@link notAnImageFileError} If standard input is a terminal. */
export function openStandardInputImage(
  standardInput: StandardInput,
  {sha256}: {sha256: Sha256 | undefined},
): OpenedTarballs {
  if (standardInput.isTTY === true) {
    throw notAnImageFileError(
      {source: 'standard input', reason: 'it is a terminal'},
      {suggestions: ['Pipe a tarball in: envs create - < rootfs.tar.gz']},
    )
  }
  return openStreamImage(standardInput, {source: '-', sha256})
}

/** Opens a tarball that can be read once, and hashes the bytes as they pass. */
function openStreamImage(
  origin: Readable,
  {source, sha256: expected}: {source: string; sha256: Sha256 | undefined},
): OpenedTarballs {
  const hash = createHash('sha256')
  let sizeBytes = 0
  const bytes = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      sizeBytes += chunk.length
      done(null, chunk)
    },
  })
  // A failure of either end reaches the reader and `verify` through `bytes`.
  pipeline(origin, bytes, () => {})
  let evidence: Promise<{sha256: Sha256; sizeBytes: number}> | undefined
  const readToEnd = async () => {
    // A reader may stop at the end of the tar; the digest covers all bytes that were sent.
    if (!bytes.readableEnded) bytes.resume()
    try {
      await finished(bytes)
    } catch (error) {
      throw imageUnreadableError(
        {source, reason: wordsForErrno(codeOf(error) ?? 'unknown reason')},
        {cause: error},
      )
    }
    return {sha256: finishSha256(hash), sizeBytes}
  }
  return {
    source,
    layers: [{bytes, sizeBytes: undefined}],
    expected,
    isReadToIdentify: false,
    identify: async () => identifyByDigest(expected),
    async verify() {
      evidence ??= readToEnd()
      return judge(await evidence, {source, expected})
    },
    async close() {
      bytes.destroy()
      origin.destroy()
    },
  }
}
