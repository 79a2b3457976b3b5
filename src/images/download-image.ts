import type {Sha256} from '../host/digest.js'
import type {Downloaded} from '../host/http/download.js'
import type {DownloadEvent} from '../host/http/receive.js'
import {imageReplacedError} from './errors.js'
import {openFileImage} from './file-image.js'
import {GrowingFile} from './growing-file.js'
import {identifyByDigest, judge, type OpenedImage} from './opened-image.js'

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
