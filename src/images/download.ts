import {createHash} from 'node:crypto'
import {close, openSync, read} from 'node:fs'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {promisify} from 'node:util'
import {finishSha256, type Sha256} from '../host/digest.js'
import type {DownloadEvent} from '../host/http/attempt.js'
import {redactUrl} from '../host/http/client.js'
import {type Downloaded, download} from '../host/http/download.js'
import {partPaths} from '../host/http/part.js'
import {ImageNotFoundError, imageReplacedError} from './errors.js'
import {openFileImage} from './local.js'
import {identifyByDigest, judge, type OpenedTarballs} from './opened-image.js'

type UrlImageOptions = {
  readonly sha256?: Sha256 | undefined
  readonly cacheFolder: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
}

/**
 * Opens the tarball at a URL while it is downloaded.
 *
 * The tarball is not cached: the same URL may hold another file tomorrow. `close` removes the file; the part of an
 * interrupted download stays, and the next download resumes it.
 */
export async function openUrlImage(url: URL, options: UrlImageOptions): Promise<OpenedTarballs> {
  const {sha256, cacheFolder, environment, signal, onProgress} = options
  // The file name is a digest: a URL may be longer than a file name allows, and may hold a password.
  const key = createHash('sha256').update(url.href).digest('hex').slice(0, 32)
  const destination = join(cacheFolder, 'downloads', key)
  const image = await openTwice(() =>
    openWhileFetching({
      source: redactUrl(url),
      expected: sha256,
      part: partPaths(destination).part,
      fetch: (hooks) =>
        download({url, destination, environment, maxBytes: MAX_IMAGE_BYTES, sha256, ...hooks}),
      signal,
      onProgress,
    }),
  )
  return {
    ...image,
    async close() {
      await image.close()
      await rm(destination, {force: true})
    },
  }
}

/** Opens the image, once more if it is missing: another process may have shared the download and removed the file. */
async function openTwice(open: () => Promise<OpenedTarballs>): Promise<OpenedTarballs> {
  try {
    return await open()
  } catch (error) {
    if (error instanceof ImageNotFoundError) return await open()
    throw error
  }
}

/** No rootfs tarball comes near this size: a larger file is a mistake or an attack. */
export const MAX_IMAGE_BYTES = 64 * 1024 ** 3

/** Hooks of a fetch: a signal that aborts it, and a callback for each chunk. */
export type FetchHooks = {readonly signal: AbortSignal; readonly onProgress: (event: DownloadEvent) => void}

type OpenWhileFetchingOptions = {
  /** For display and for records. */
  readonly source: string
  readonly expected: Sha256 | undefined
  /** Path of the partial file. */
  readonly part: string
  readonly fetch: (hooks: FetchHooks) => Promise<Downloaded>
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
}

/**
 * Opens a tarball as soon as its first bytes are downloaded.
 *
 * The tarball is read while it is downloaded, so both take as long as the longer of them. A file that is complete,
 * or that another process openTwice, is opened as a local file.
 *
 * @returns An image whose `close` aborts a running download; the partial file stays for the next download.
 * @throws As `fetch` and `openFileImage`.
 */
export function openWhileFetching({
  fetch,
  part,
  source,
  expected,
  ...options
}: OpenWhileFetchingOptions): Promise<OpenedTarballs> {
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  return new Promise((resolve, reject) => {
    let growing: GrowingFile | undefined
    const whole = fetch({
      signal,
      onProgress(event) {
        if (event.stage === 'download') {
          if (growing === undefined) {
            growing = new GrowingFile(part)
            resolve(imageOfGrowingFile(growing, {whole, stop, source, expected}))
          }
          growing.grow(event.receivedBytes)
        }
        options.onProgress?.(event)
      },
    })
    whole
      .then(
        ({path, sizeBytes}) => {
          if (growing === undefined) resolve(openFileImage(path, {source, sha256: expected}))
          else growing.end(sizeBytes)
        },
        (error: unknown) => {
          if (growing === undefined) throw error
          growing.fail(error)
        },
      )
      .catch(reject)
  })
}

type GrowingImageOptions = {
  readonly whole: Promise<Downloaded>
  readonly stop: AbortController
  readonly source: string
  readonly expected: Sha256 | undefined
}

function imageOfGrowingFile(
  growing: GrowingFile,
  {whole, stop, source, expected}: GrowingImageOptions,
): OpenedTarballs {
  return {
    source,
    expected,
    layers: [{bytes: growing.bytes, sizeBytes: undefined}],
    isReadToIdentify: false,
    identify: async () => identifyByDigest(expected),
    async verify() {
      const {sha256} = await whole
      const read = await growing.digest()
      // A restarted download replaces bytes that the reader has used already.
      if (read.sha256 !== sha256) throw imageReplacedError({source})
      return judge(read, {source, expected})
    },
    async close() {
      stop.abort()
      await whole.catch(() => {})
      await growing.close()
    },
  }
}

const [readDescriptor, closeDescriptor] = [promisify(read), promisify(close)]

/** Large enough for few calls, small enough to bound the read-ahead. */
const READ_BYTES = 1 << 18

/**
 * Reads a file from its start while another party writes it.
 *
 * The digest covers the bytes that were handed out: if a restarted download writes other bytes, the digest differs
 * from that of the file.
 */
export class GrowingFile {
  /** Ends at the end of the file, and fails with the error of the writer. A slow reader never delays the writer. */
  readonly bytes: Readable
  readonly #fd: number
  readonly #hash = createHash('sha256')
  #offset = 0
  #sizeBytes = 0
  #state: {readonly kind: 'growing' | 'whole'} | {readonly kind: 'failed'; readonly error: Error} = {
    kind: 'growing',
  }
  #isWanted = false
  #reading: Promise<void> | undefined
  #closing: Promise<void> | undefined

  /** @throws {NodeJS.ErrnoException} */
  constructor(path: string) {
    this.#fd = openSync(path, 'r')
    this.bytes = new Readable({
      highWaterMark: READ_BYTES,
      read: () => {
        this.#isWanted = true
        this.#advance()
      },
    })
  }

  /** Sets how many bytes are written; the count decreases when the writer restarts. */
  grow(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes
    this.#advance()
  }

  /** Marks the file as complete. */
  end(sizeBytes: number): void {
    this.#state = {kind: 'whole'}
    this.grow(sizeBytes)
  }

  /** Marks the file as failed; the reader receives the error when it needs a missing byte. */
  fail(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error))
    this.#state = {kind: 'failed', error: reason}
    this.#advance()
  }

  /** Returns the digest of the complete file: of the bytes handed out, then of the rest if the reader stopped early. */
  async digest(): Promise<{sha256: Sha256; sizeBytes: number}> {
    if (this.#state.kind !== 'whole') throw new Error('the file still grows')
    this.bytes.destroy()
    await this.#reading
    while ((await this.#readChunk()).length > 0) {}
    return {sha256: finishSha256(this.#hash.copy()), sizeBytes: this.#offset}
  }

  /** Closes the file; idempotent, and allowed at any time. */
  close(): Promise<void> {
    this.bytes.destroy()
    const closeNow = () => closeDescriptor(this.#fd)
    // The descriptor number must not be reused during a pending read.
    this.#closing ??= (this.#reading ?? Promise.resolve()).then(closeNow, closeNow)
    return this.#closing
  }

  #advance(): void {
    if (!this.#isWanted || this.#reading !== undefined || this.bytes.destroyed) return
    if (this.#state.kind === 'failed') this.bytes.destroy(this.#state.error)
    else if (this.#offset < this.#sizeBytes) this.#reading = this.#pushChunk()
    else if (this.#state.kind === 'whole') this.bytes.push(null)
  }

  async #pushChunk(): Promise<void> {
    const claimed = this.#sizeBytes
    try {
      const chunk = await this.#readChunk()
      this.#reading = undefined
      if (this.bytes.destroyed) return
      if (chunk.length > 0) {
        this.#isWanted = false
        this.bytes.push(chunk)
      } else if (this.#sizeBytes === claimed) {
        // The file was truncated below the read position; `grow` reports the rewritten bytes.
        this.#sizeBytes = this.#offset
      }
      this.#advance()
    } catch (error) {
      this.#reading = undefined
      this.fail(error)
    }
  }

  async #readChunk(): Promise<Buffer> {
    const length = Math.min(READ_BYTES, this.#sizeBytes - this.#offset)
    if (length <= 0) return Buffer.alloc(0)
    const buffer = Buffer.allocUnsafe(length)
    const {bytesRead} = await readDescriptor(this.#fd, buffer, 0, length, this.#offset)
    const chunk = buffer.subarray(0, bytesRead)
    this.#hash.update(chunk)
    this.#offset += bytesRead
    return chunk
  }
}
