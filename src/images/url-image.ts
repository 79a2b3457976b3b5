import {createHash} from 'node:crypto'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {Sha256} from '../host/digest.js'
import {download} from '../host/http/download.js'
import {partPaths} from '../host/http/partial-file.js'
import type {DownloadEvent} from '../host/http/receive.js'
import {redactUrl} from '../host/http/redact-url.js'
import {MAX_IMAGE_BYTES, openWhileFetching} from './download-image.js'
import {ImageNotFoundError} from './errors.js'
import type {OpenedImage} from './opened-image.js'

type Options = {
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
export async function openUrlImage(url: URL, options: Options): Promise<OpenedImage> {
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
