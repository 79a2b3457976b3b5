import {createHash} from 'node:crypto'
import {type BigIntStats, closeSync, constants, fstatSync, openSync, read} from 'node:fs'
import {Socket} from 'node:net'
import {join} from 'node:path'
import {pipeline, type Readable, Transform} from 'node:stream'
import {finished} from 'node:stream/promises'
import {promisify} from 'node:util'
import {codeOf, errnoOf} from '../errors.js'
import {openMemory} from '../host/cache.js'
import {finishSha256, type Sha256} from '../host/digest.js'
import {sha256Field} from '../host/records.js'
import {imageChangedError, imageNotFoundError, imageUnreadableError, notAnImageFileError} from './errors.js'
import {type ImageEvidence, identifyByDigest, judge, type OpenedImage} from './opened-image.js'

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

/** What tells that a file has not been written to: nobody but the kernel sets its ctime. */
export type FileFacts = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

/** Digests of files that were read once, by what the kernel says of the files. */
export type DigestMemory = {
  /** @returns undefined for a file that was never read, or may have been written to since. */
  recall(facts: FileFacts): Sha256 | undefined
  /** @param readAt - When the reading of the file began. */
  remember(facts: FileFacts, sha256: Sha256, readAt: Date): Promise<void>
}

/** The files of a person who makes environments of more than these are read anew. */
const MOST_ENTRIES = 50

/**
 * A file that is written to twice within one tick of the kernel's clock has the same times after both; none is as long,
 * and the clocks of file servers differ by less.
 */
const SETTLED_AFTER_MS = 5000

/**
 * Spares reading an archive of a hundred megabytes again to make one more environment of it.
 *
 * The memory lies in the user's own cache folder, is taken from nobody else's file, and says nothing of a file whose
 * device, inode, size, mtime or ctime is another: whoever can deceive it can change the user's environments themselves.
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

/** The process's own standard input, or what stands in for it. */
export type StandardInput = Readable & {readonly isTTY?: boolean}

/**
 * Takes the archive from standard input.
 *
 * @throws {@link notAnImageFileError} When it is a terminal: nothing was piped in.
 */
export function openStandardInputImage(
  standardInput: StandardInput,
  {sha256}: {sha256: Sha256 | undefined},
): OpenedImage {
  if (standardInput.isTTY === true) {
    throw notAnImageFileError(
      {source: 'standard input', reason: 'it is a terminal'},
      {suggestions: ['Pipe an archive in: envs create - < rootfs.tar.gz']},
    )
  }
  return openStreamImage(standardInput, {source: '-', sha256})
}

/** An archive that comes by once: its digest is made of the bytes as they pass to the reader. */
function openStreamImage(
  origin: Readable,
  {source, sha256: expected}: {source: string; sha256: Sha256 | undefined},
): OpenedImage {
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
    // A reader may stop at the archive's own end; the digest is of all that was sent.
    if (!bytes.readableEnded) bytes.resume()
    try {
      await finished(bytes)
    } catch (error) {
      throw imageUnreadableError({source, reason: codeOf(error) ?? 'unknown reason'}, {cause: error})
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
