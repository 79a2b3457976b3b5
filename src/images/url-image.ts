import {createHash} from 'node:crypto'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {Sha256} from '../host/digest.js'
import {download} from '../host/http/download.js'
import type {DownloadEvent} from '../host/http/receive.js'
import {ImageNotFoundError} from './errors.js'
import {openFileImage} from './file-image.js'
import type {OpenedImage} from './opened-image.js'
import {redactUrl} from './reference.js'

type Options = {
  readonly sha256?: Sha256 | undefined
  readonly cacheFolder: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
}

/** No rootfs archive comes near it: what is larger is a mistake, or a server that means ill. */
const MAX_IMAGE_BYTES = 64 * 1024 ** 3

/**
 * Downloads an archive whole, then opens it as a file.
 *
 * There is no store of images yet: the file is gone once the image is closed. What an interrupted download
 * has so far stays, and the next one goes on from there.
 */
export async function openUrlImage(url: URL, options: Options): Promise<OpenedImage> {
  const {sha256, cacheFolder, environment, signal, onProgress} = options
  // A digest as the name: a URL may be longer than a file name, and may hold a password.
  const key = createHash('sha256').update(url.href).digest('hex').slice(0, 32)
  const destination = join(cacheFolder, 'downloads', key)
  const image = await fetched(() =>
    download({url, destination, environment, maxBytes: MAX_IMAGE_BYTES, sha256, signal, onProgress}).then(
      () => openFileImage(destination, {source: redactUrl(url), sha256}),
    ),
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
async function fetched(downloadAndOpen: () => Promise<OpenedImage>): Promise<OpenedImage> {
  try {
    return await downloadAndOpen()
  } catch (error) {
    if (error instanceof ImageNotFoundError) return await downloadAndOpen()
    throw error
  }
}
