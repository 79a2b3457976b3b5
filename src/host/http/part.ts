import {createHash, type Hash} from 'node:crypto'
import {fstatSync, fsync, ftruncate, read, write} from 'node:fs'
import {readFile, rm} from 'node:fs/promises'
import type {IncomingHttpHeaders} from 'node:http'
import {promisify} from 'node:util'
import * as v from 'valibot'
import {errnoOf} from '../../errors.js'
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
 * A body as far as it has come, on disk, with the digest of just those bytes.
 *
 * Whoever has one holds the part's lock; `fd` is the lock's descriptor.
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
   * Takes up what an earlier run left of `url`, or starts anew where it can't be gone on with.
   *
   * @param isDigestKnown - A mix of two versions would be found out, so no validator is needed.
   * @param isForLater - A later run may go on with it, and what is published outlives a power cut. Without that, a part is
   *   begun anew, and nothing waits for the disk.
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
    if (isOurs && (isDigestKnown || hasValidators(part.#validators))) await part.#takeUp()
    else await part.restart()
    return part
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** The bytes come of more than one answer, so that a wrong digest may be the mixture's fault. */
  get isMixed(): boolean {
    return this.#isMixed
  }

  get validators(): Validators {
    return this.#validators
  }

  /** Tells whether the rest alone may be asked for. */
  canResume({isDigestKnown}: {isDigestKnown: boolean}): boolean {
    return this.#receivedBytes > 0 && this.#trustsRanges && (isDigestKnown || hasValidators(this.#validators))
  }

  /** The server answered a range with nonsense: no more of them. */
  distrustRanges(): void {
    this.#trustsRanges = false
  }

  /** A new body begins: what an interrupted one can be resumed by has to be on disk before its bytes are. */
  async begin(validators: Validators): Promise<void> {
    await this.restart()
    this.#validators = validators
    if (!this.isForLater) return
    await this.#storing(() =>
      writePartRecord(this.paths.record, {schemaVersion: 1, urlDigest: urlDigest(this.url), validators}),
    )
  }

  /** The rest of the body begins, from another answer. */
  resume(): void {
    this.#isMixed = true
  }

  async append(chunk: Buffer): Promise<void> {
    let written = 0
    while (written < chunk.length) {
      const position = this.#receivedBytes + written
      const {bytesWritten} = await this.#storing(() =>
        writeAt(this.fd, chunk, written, chunk.length - written, position),
      )
      written += bytesWritten
    }
    this.#hash.update(chunk)
    this.#receivedBytes += chunk.length
  }

  async restart(): Promise<void> {
    await this.#storing(() => truncate(this.fd, 0))
    this.#hash = createHash('sha256')
    this.#receivedBytes = 0
    this.#validators = {}
    this.#isMixed = false
  }

  digest(): Sha256 {
    return finishSha256(this.#hash.copy())
  }

  /** Gives the whole body its name, so that a crash leaves either all of it there or a part. */
  async publish(): Promise<void> {
    const {part, record, destination} = this.paths
    await this.#storing(async () => {
      if (this.isForLater) await sync(this.fd)
      await publish(part, destination, {isSynced: this.isForLater})
      await rm(record, {force: true})
    })
  }

  async discard(): Promise<void> {
    await rm(this.paths.record, {force: true})
    await rm(this.paths.part, {force: true})
  }

  async #takeUp(): Promise<void> {
    const sizeBytes = fstatSync(this.fd).size
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    while (this.#receivedBytes < sizeBytes) {
      const {bytesRead} = await this.#storing(() =>
        readAt(this.fd, buffer, 0, buffer.length, this.#receivedBytes),
      )
      if (bytesRead === 0) break
      this.#hash.update(buffer.subarray(0, bytesRead))
      this.#receivedBytes += bytesRead
    }
  }

  async #storing<T>(effect: () => Promise<T>): Promise<T> {
    try {
      return await effect()
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      throw downloadStorageError({path: this.paths.part, reason: errno}, {cause: error})
    }
  }
}

export const validatorsSchema = v.object({
  etag: v.exactOptional(v.string()),
  lastModified: v.exactOptional(v.string()),
})

/** What lets the rest of a body be asked for, on condition that it is still the same. */
export type Validators = RecordOf<typeof validatorsSchema>

/** A weak or a missing ETag does not do: only a strong one stands for the very bytes. */
const STRONG_ETAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/

/**
 * Picks the validators a range may be asked with.
 *
 * @see RFC 9110, sections 8.8.1 and 8.8.2.2: a date is strong when the answer is a second older at least.
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

/** Tells whether an answer is known to be of another version than the one `known` was taken from. */
export function contradicts(known: Validators, headers: IncomingHttpHeaders): boolean {
  const {etag} = strongValidators(headers)
  return known.etag !== undefined && etag !== undefined && known.etag !== etag
}

/** Tells whether an entity tag may stand for the very bytes; `W/"…"` may not. */
function isStrongEtag(etag: string): boolean {
  return STRONG_ETAG.test(etag)
}

/** Reads Content-Length; undefined when absent or malformed. */
export function parseLength(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,15}$/.test(header)) return undefined
  return Number(header)
}

export type ContentRange = {readonly first: number | undefined; readonly totalBytes: number | undefined}

/** Reads `bytes 5-9/10`, `bytes 5-9/*` or, of a 416, `bytes *\/10`. @see RFC 9110, section 14.4 */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes (?:(?<first>\d{1,15})-\d{1,15}|\*)\/(?:(?<total>\d{1,15})|\*)$/.exec(header ?? '')
  if (match?.groups === undefined) return undefined
  const {first, total} = match.groups
  return {
    first: first === undefined ? undefined : Number(first),
    totalBytes: total === undefined ? undefined : Number(total),
  }
}

/** Near enough to RFC 9110, section 5.6.7, to be safe in a header. */
const HTTP_DATE = /^[A-Za-z0-9 :,+-]{1,64}$/

const partRecordSchema = v.object({
  schemaVersion: v.literal(1),
  /** SHA-256 of the URL, which may hold a password. */
  urlDigest: v.string(),
  /** They become headers. */
  validators: v.object({
    etag: v.exactOptional(v.pipe(v.string(), v.check(isStrongEtag))),
    lastModified: v.exactOptional(v.pipe(v.string(), v.regex(HTTP_DATE))),
  }),
})

/** What a part has to be told of to be gone on with in a later run. */
export type PartRecord = RecordOf<typeof partRecordSchema>

function urlDigest(url: URL): string {
  return createHash('sha256').update(url.href).digest('hex')
}

async function writePartRecord(path: string, record: PartRecord): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(record)}\n`, {mode: 0o600})
}

/** Reads what an earlier run left; undefined when there is none, or none that can be understood. */
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

/** `claimed`: ours to write; `published`: another process finished it while this one waited. */
export type Claim = {readonly kind: 'claimed'; readonly lock: Lock} | {readonly kind: 'published'}

type Options = {
  readonly destination: string
  readonly signal: AbortSignal | undefined
  /** Called once when another process holds the part. */
  readonly onWait: () => void
}

/**
 * Makes this process the only one that writes `part`, or waits for the one that does.
 *
 * The lock lies on the part itself. Publishing renames that very file, so whoever waited on it learns by its
 * inode what became of it: the destination, thrown away, or still a part.
 *
 * @throws {NodeJS.ErrnoException} When the part can't be made.
 * @throws {@link flockMissingError}
 */
export async function claimPart(part: string, {destination, ...waiting}: Options): Promise<Claim> {
  for (;;) {
    const lock = await awaitLock(openLockFile(part), waiting)
    if (isLockOf(lock, part)) return {kind: 'claimed', lock}
    const isPublished = isLockOf(lock, destination)
    lock.release()
    if (isPublished) return {kind: 'published'}
  }
}
