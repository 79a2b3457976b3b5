import {createHash, type Hash} from 'node:crypto'
import {fstatSync, fsync, ftruncate, read, write} from 'node:fs'
import {rm} from 'node:fs/promises'
import {promisify} from 'node:util'
import {errnoOf} from '../../errors.js'
import {publish} from '../atomic-file.js'
import {finishSha256, type Sha256} from '../digest.js'
import {downloadStorageError} from './errors.js'
import {hasValidators, type Validators} from './headers.js'
import {readPartRecord, urlDigest, writePartRecord} from './part-record.js'

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
