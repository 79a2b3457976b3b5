import {createHash, type Hash} from 'node:crypto'
import {fstatSync, fsync, ftruncate, read, write} from 'node:fs'
import {readFile, rm} from 'node:fs/promises'
import type {IncomingHttpHeaders} from 'node:http'
import {promisify} from 'node:util'
import * as v from 'valibot'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {finishSha256, type Sha256} from '../digest.js'
import {isErrno} from '../errno.js'
import {publish, writeFileAtomic} from '../files.js'
import {awaitLock, isLockOf, type Lock, openLockFile} from '../locks.js'
import {parseIfValid, type RecordOf} from '../records.js'
import {downloadStorageError} from './errors.js'

const [readAt, writeAt, truncate, sync] = [
  promisify(read),
  promisify(write),
  promisify(ftruncate),
  promisify(fsync),
]

const READ_BYTES = 1 << 20

export type PartPaths = {readonly part: string; readonly record: string; readonly destination: string}

export function partPaths(destination: string): PartPaths {
  return {part: `${destination}.part`, record: `${destination}.part.json`, destination}
}

/**
 * A partial download on disk, with the digest of its bytes.
 *
 * Its user holds the lock of the part; `fd` is the descriptor of the lock.
 */
export class PartialFile {
  #hash: Hash = createHash('sha256')
  #receivedBytes = 0
  #validators: Validators = {}
  #isMixed = false
  #trustsRanges = true

  private constructor(
    readonly paths: PartPaths,
    private readonly fd: number,
    private readonly url: URL,
    private readonly isForLater: boolean,
  ) {}

  /**
   * Opens the part that an earlier run left of `url`; truncates it if it cannot be resumed.
   *
   * @param isDigestKnown - No validator is needed, because the digest detects a mix of two versions.
   * @param isForLater - Whether a later run may resume it, and the published file must survive a power failure. If
   * not, a part is never resumed, and nothing waits for the disk.
   */
  static async open(
    paths: PartPaths,
    {
      fd,
      url,
      isDigestKnown,
      isForLater = true,
    }: {fd: number; url: URL; isDigestKnown: boolean; isForLater?: boolean},
  ): Promise<PartialFile> {
    const part = new PartialFile(paths, fd, url, isForLater)
    const record = isForLater ? await readPartRecord(paths.record) : undefined
    const isOurs = record?.urlDigest === urlDigest(url)
    if (isOurs) part.#validators = record.validators
    if (isOurs && (isDigestKnown || hasValidators(part.#validators))) await part.#readExisting()
    else await part.restart()
    return part
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Whether the bytes come from several responses, so that a wrong digest may be caused by the mix. */
  get isMixed(): boolean {
    return this.#isMixed
  }

  get validators(): Validators {
    return this.#validators
  }

  /** Returns whether the rest can be requested alone. */
  canResume({isDigestKnown}: {isDigestKnown: boolean}): boolean {
    return this.#receivedBytes > 0 && this.#trustsRanges && (isDigestKnown || hasValidators(this.#validators))
  }

  /** Disables range requests, after a wrong response to one. */
  distrustRanges(): void {
    this.#trustsRanges = false
  }

  /** Starts a new body. The validators must be on disk before its bytes, so that it can be resumed. */
  async begin(validators: Validators): Promise<void> {
    await this.restart()
    this.#validators = validators
    if (!this.isForLater) return
    await this.#withStorageErrors(() =>
      writePartRecord(this.paths.record, {schemaVersion: 1, urlDigest: urlDigest(this.url), validators}),
    )
  }

  /** Continues the body from another response. */
  resume(): void {
    this.#isMixed = true
  }

  async append(chunk: Buffer): Promise<void> {
    let written = 0
    while (written < chunk.length) {
      const position = this.#receivedBytes + written
      const {bytesWritten} = await this.#withStorageErrors(() =>
        writeAt(this.fd, chunk, written, chunk.length - written, position),
      )
      written += bytesWritten
    }
    this.#hash.update(chunk)
    this.#receivedBytes += chunk.length
  }

  async restart(): Promise<void> {
    await this.#withStorageErrors(() => truncate(this.fd, 0))
    this.#hash = createHash('sha256')
    this.#receivedBytes = 0
    this.#validators = {}
    this.#isMixed = false
  }

  digest(): Sha256 {
    return finishSha256(this.#hash.copy())
  }

  /** Renames the complete body to its destination; a crash leaves either the complete file or the part. */
  async publish(): Promise<void> {
    const {part, record, destination} = this.paths
    await this.#withStorageErrors(async () => {
      if (this.isForLater) await sync(this.fd)
      await publish(part, destination, {isSynced: this.isForLater})
      await rm(record, {force: true})
    })
  }

  async discard(): Promise<void> {
    await rm(this.paths.record, {force: true})
    await rm(this.paths.part, {force: true})
  }

  async #readExisting(): Promise<void> {
    const sizeBytes = fstatSync(this.fd).size
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    while (this.#receivedBytes < sizeBytes) {
      const {bytesRead} = await this.#withStorageErrors(() =>
        readAt(this.fd, buffer, 0, buffer.length, this.#receivedBytes),
      )
      if (bytesRead === 0) break
      this.#hash.update(buffer.subarray(0, bytesRead))
      this.#receivedBytes += bytesRead
    }
  }

  async #withStorageErrors<T>(effect: () => Promise<T>): Promise<T> {
    try {
      return await effect()
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      throw downloadStorageError({path: this.paths.part, reason: wordsForErrno(errno)}, {cause: error})
    }
  }
}

export const validatorsSchema = v.object({
  etag: v.exactOptional(v.string()),
  lastModified: v.exactOptional(v.string()),
})

/** Validators of a body, for a conditional request of its rest. */
export type Validators = RecordOf<typeof validatorsSchema>

/** Only a strong ETag identifies the exact bytes. */
const STRONG_ETAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/

/**
 * Returns the strong validators of a response, for a range request.
 *
 * @see RFC 9110, sections 8.8.1 and 8.8.2.2: a date is strong if the response is at least a second newer.
 */
export function strongValidators(headers: IncomingHttpHeaders): Validators {
  const {etag, date} = headers
  const lastModified = headers['last-modified']
  const ageMs = Date.parse(date ?? '') - Date.parse(lastModified ?? '')
  return {
    ...(etag !== undefined && isStrongEtag(etag) ? {etag} : {}),
    ...(lastModified !== undefined && ageMs >= 1000 ? {lastModified} : {}),
  }
}

export function hasValidators({etag, lastModified}: Validators): boolean {
  return etag !== undefined || lastModified !== undefined
}

/** Returns whether the response is known to have another version than `known`. */
export function contradicts(known: Validators, headers: IncomingHttpHeaders): boolean {
  const {etag} = strongValidators(headers)
  return known.etag !== undefined && etag !== undefined && known.etag !== etag
}

/** Returns whether an ETag identifies the exact bytes; a weak one, `W/"…"`, does not. */
function isStrongEtag(etag: string): boolean {
  return STRONG_ETAG.test(etag)
}

/** Parses Content-Length; undefined if absent or malformed. */
export function parseLength(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,15}$/.test(header)) return undefined
  return Number(header)
}

export type ContentRange = {readonly first: number | undefined; readonly totalBytes: number | undefined}

/** Parses `bytes 5-9/10`, `bytes 5-9/*` or, of a 416, `bytes *\/10`. @see RFC 9110, section 14.4 */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes (?:(?<first>\d{1,15})-\d{1,15}|\*)\/(?:(?<total>\d{1,15})|\*)$/.exec(header ?? '')
  if (match?.groups === undefined) return undefined
  const {first, total} = match.groups
  return {
    first: first === undefined ? undefined : Number(first),
    totalBytes: total === undefined ? undefined : Number(total),
  }
}

/** Approximates RFC 9110, section 5.6.7; safe in a header. */
const HTTP_DATE = /^[A-Za-z0-9 :,+-]{1,64}$/

const partRecordSchema = v.object({
  schemaVersion: v.literal(1),
  /** SHA-256 of the URL, which may hold a password. */
  urlDigest: v.string(),
  /** Checked, because they become request headers. */
  validators: v.object({
    etag: v.exactOptional(v.pipe(v.string(), v.check(isStrongEtag))),
    lastModified: v.exactOptional(v.pipe(v.string(), v.regex(HTTP_DATE))),
  }),
})

/** The record of a part, which a later run needs to resume it. */
export type PartRecord = RecordOf<typeof partRecordSchema>

function urlDigest(url: URL): string {
  return createHash('sha256').update(url.href).digest('hex')
}

async function writePartRecord(path: string, record: PartRecord): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(record)}\n`, {mode: 0o600})
}

/** Reads the record of an earlier run; undefined if it is missing or malformed. */
async function readPartRecord(path: string): Promise<PartRecord | undefined> {
  try {
    return parsePartRecord(await readFile(path, 'utf8'))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** @returns undefined for any text that is not a record of this version. */
export function parsePartRecord(text: string): PartRecord | undefined {
  return parseIfValid(text, partRecordSchema)
}

/** `claimed`: this process writes the part; `published`: another process completed it meanwhile. */
export type PartClaim = {readonly kind: 'claimed'; readonly lock: Lock} | {readonly kind: 'published'}

type ClaimOptions = {
  readonly destination: string
  readonly signal: AbortSignal | undefined
  /** Called once if another process holds the part. */
  readonly onWait: () => void
}

/**
 * Locks `part` for this process, or waits for the process that writes it.
 *
 * The lock is on the part itself. Publishing renames that file, so a waiting process learns by its inode whether
 * it was published, discarded, or is still a part.
 *
 * @throws {NodeJS.ErrnoException} If the part cannot be created.
 * @throws {@link flockMissingError}
 */
export async function claimPart(part: string, {destination, ...waiting}: ClaimOptions): Promise<PartClaim> {
  for (;;) {
    const lock = await awaitLock(openLockFile(part), waiting)
    if (isLockOf(lock, part)) return {kind: 'claimed', lock}
    const isPublished = isLockOf(lock, destination)
    lock.release()
    if (isPublished) return {kind: 'published'}
  }
}
