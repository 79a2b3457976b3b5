import {stat} from 'node:fs/promises'
import type {Sha256} from '../host/digest.js'
import type {DownloadEvent} from '../host/http/receive.js'
import {UnknownImageError} from './errors.js'
import {openFileImage} from './file-image.js'
import type {OpenedImage} from './opened-image.js'
import {hasArchiveSuffix, type ImageReference} from './reference.js'
import {openStandardInputImage, type StandardInput} from './stream-image.js'
import {openUrlImage} from './url-image.js'

export type OpenImageOptions = {
  /** What the image must be; without it, whatever comes is taken and said to be unverified. */
  readonly sha256?: Sha256 | undefined
  /** The user's cache folder; downloads lie below it. */
  readonly cacheFolder: string
  /** Holds the proxy variables and `SSL_CERT_FILE`. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  readonly standardInput?: StandardInput | undefined
}

/**
 * Gets hold of an image's bytes; a URL is downloaded whole first. The caller closes what it is given.
 *
 * @throws {UnknownImageError}
 * @throws {ImageNotFoundError}
 * @throws {NotAnImageFileError}
 * @throws {ImageUnreadableError}
 * @throws {NetworkError}
 * @throws {DigestMismatchError}
 */
export async function openImage(reference: ImageReference, options: OpenImageOptions): Promise<OpenedImage> {
  const {sha256} = options
  switch (reference.kind) {
    case 'standard-input':
      return openStandardInputImage(options.standardInput ?? process.stdin, {sha256})
    case 'file':
      return openFileImage(reference.path, {source: reference.path, sha256})
    case 'url':
      return openUrlImage(reference.url, options)
    case 'name':
      throw new UnknownImageError(reference.text, await suggestionsFor(reference))
  }
}

async function suggestionsFor(reference: ImageReference & {kind: 'name'}): Promise<string[]> {
  const {sameNamedFile, text} = reference
  if (await isThere(sameNamedFile)) return [`To use the file of that name, write ./${text}`]
  if (hasArchiveSuffix(text))
    return [`A file is given by its path, such as ./${text}, and there is no such file here.`]
  return ['This build takes a file (./rootfs.tar.gz), an http or https URL, or - for standard input.']
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
