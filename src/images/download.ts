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
import {identifyByDigest, judge, type OpenedImage} from './opened-image.js'

type UrlImageOptions = {
  readonly sha256?: Sha256 | undefined
  readonly cacheFolder: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
}

/**
 * Opens the archive at a URL while it is downloaded.
 *
 * It is not kept: nothing tells that the same URL holds the same file tomorrow. The file is gone once the
 * image is closed; what an interrupted download has so far stays, and the next one goes on from there.
 */
export async function openUrlImage(url: URL, options: UrlImageOptions): Promise<OpenedImage> {
  const {sha256, cacheFolder, environment, signal, onProgress} = options
  // A digest as the name: a URL may be longer than a file name, and may hold a password.
  const key = createHash('sha256').update(url.href).digest('hex').slice(0, 32)
  const destination = join(cacheFolder, 'downloads', key)
  const image = await fetched(() =>
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

/** Another process may have shared the download, used it and removed it before this one had it open. */
async function fetched(open: () => Promise<OpenedImage>): Promise<OpenedImage> {
  try {
    return await open()
  } catch (error) {
    if (error instanceof ImageNotFoundError) return await open()
    throw error
  }
}

/** No rootfs archive comes near it: what is larger is a mistake, or a server that means ill. */
export const MAX_IMAGE_BYTES = 64 * 1024 ** 3

/** What a fetch is given: the one tells of every piece, the other ends it. */
export type FetchHooks = {readonly signal: AbortSignal; readonly onProgress: (event: DownloadEvent) => void}

type Options = {
  /** To show and to store. */
  readonly source: string
  readonly expected: Sha256 | undefined
  /** Where the pieces lie while they come. */
  readonly part: string
  readonly fetch: (hooks: FetchHooks) => Promise<Downloaded>
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
}

/**
 * Opens an archive that is still being fetched, as soon as there is something of it to read.
 *
 * It is read beside the download and not in its way, so that both take as long as the longer of them. One
 * that turns out to be there already, or that another process fetched, is opened as a file.
 *
 * @returns An image whose `close` ends a download under way; what there is of it stays for the next.
 * @throws As `fetch` and `openFileImage`.
 */
export function openWhileFetching({
  fetch,
  part,
  source,
  expected,
  ...options
}: Options): Promise<OpenedImage> {
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
            resolve(growingImage(growing, {whole, stop, source, expected}))
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

type Growth = {
  readonly whole: Promise<Downloaded>
  readonly stop: AbortController
  readonly source: string
  readonly expected: Sha256 | undefined
}

function growingImage(growing: GrowingFile, {whole, stop, source, expected}: Growth): OpenedImage {
  return {
    source,
    expected,
    layers: [{bytes: growing.bytes, sizeBytes: undefined}],
    isReadToIdentify: false,
    identify: async () => identifyByDigest(expected),
    async verify() {
      const {sha256} = await whole
      const read = await growing.digest()
      // Bytes are fetched again only where the server no longer had the ones before: those were used already.
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

/** Few enough reads that their calls cost nothing; what is read ahead stays small. */
const READ_BYTES = 1 << 18

/**
 * A file that is being written, read from its start while it grows.
 *
 * The digest is made of the very bytes that were handed out: where a writer begins anew and writes others,
 * those that had been read before are what it is of, so that the two are found to differ.
 */
export class GrowingFile {
  /** Ends where the file does, fails as its writer does; how fast it is read holds nobody up. */
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

  /** So many bytes lie there by now; fewer than before where the writer began anew. */
  grow(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes
    this.#advance()
  }

  /** All of it lies there. */
  end(sizeBytes: number): void {
    this.#state = {kind: 'whole'}
    this.grow(sizeBytes)
  }

  /** There will be no more; the reader hears of it when it asks for what is missing. */
  fail(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error))
    this.#state = {kind: 'failed', error: reason}
    this.#advance()
  }

  /** The digest of what was handed out and, where a reader stopped early, of the rest; once it is whole. */
  async digest(): Promise<{sha256: Sha256; sizeBytes: number}> {
    if (this.#state.kind !== 'whole') throw new Error('the file still grows')
    this.bytes.destroy()
    await this.#reading
    while ((await this.#readOn()).length > 0) {}
    return {sha256: finishSha256(this.#hash.copy()), sizeBytes: this.#offset}
  }

  /** May be called at any time, and again. */
  close(): Promise<void> {
    this.bytes.destroy()
    const closeNow = () => closeDescriptor(this.#fd)
    // A read under way must not find the number in another file's hands.
    this.#closing ??= (this.#reading ?? Promise.resolve()).then(closeNow, closeNow)
    return this.#closing
  }

  #advance(): void {
    if (!this.#isWanted || this.#reading !== undefined || this.bytes.destroyed) return
    if (this.#state.kind === 'failed') this.bytes.destroy(this.#state.error)
    else if (this.#offset < this.#sizeBytes) this.#reading = this.#handOut()
    else if (this.#state.kind === 'whole') this.bytes.push(null)
  }

  async #handOut(): Promise<void> {
    const claimed = this.#sizeBytes
    try {
      const chunk = await this.#readOn()
      this.#reading = undefined
      if (this.bytes.destroyed) return
      if (chunk.length > 0) {
        this.#isWanted = false
        this.bytes.push(chunk)
      } else if (this.#sizeBytes === claimed) {
        // It was cut off below what had been read; `grow` tells of what is written anew.
        this.#sizeBytes = this.#offset
      }
      this.#advance()
    } catch (error) {
      this.#reading = undefined
      this.fail(error)
    }
  }

  async #readOn(): Promise<Buffer> {
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
