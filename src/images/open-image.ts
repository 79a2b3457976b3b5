import type {Sha256} from '../host/digest.js'
import type {DownloadEvent} from '../host/http/receive.js'
import {openDigestMemory} from './digest-memory.js'
import {openFileImage} from './file-image.js'
import {openNamedImage} from './named-image.js'
import type {OpenedImage} from './opened-image.js'
import type {Resolution} from './resolve-image.js'
import {isPublished, type Location, layersOf, type ResolvedImage} from './resolved-image.js'
import type {ImageContext} from './sources/source.js'
import {openStandardInputImage, type StandardInput} from './stream-image.js'
import {openUrlImage} from './url-image.js'

export type OpenImageOptions = {
  /** The user's cache folder; downloads that are not kept lie below it. */
  readonly cacheFolder: string
  /** The folder of kept images. */
  readonly images: string
  readonly context: ImageContext
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  /** Told that the image of a name has come whole, and is kept. */
  readonly onStored?: (() => void) | undefined
  /** Whether a kept one may be removed meanwhile, since nothing of its archive is needed. */
  readonly isRemovable?: boolean
  readonly standardInput?: StandardInput | undefined
}

/**
 * Gets hold of an image's bytes, what has to be fetched as soon as the first of them are here. The caller
 * closes what it is given.
 *
 * @throws {ImageNotFoundError}
 * @throws {NotAnImageFileError}
 * @throws {ImageUnreadableError}
 * @throws {NetworkError}
 * @throws {DigestMismatchError}
 * @throws As `openNamedImage`, for a name.
 */
export async function openImage(resolution: Resolution, options: OpenImageOptions): Promise<OpenedImage> {
  if (resolution.kind === 'kept') return openNamedImage(resolution, options)
  const {image} = resolution
  return isPublished(image) ? openNamedImage({kind: 'found', image}, options) : openInPlace(image, options)
}

/** Opens an image that is not kept where it is. */
async function openInPlace(
  {content, digest}: ResolvedImage,
  options: OpenImageOptions,
): Promise<OpenedImage> {
  if (content.kind === 'packages') throw new Error('an image of packages is made before it is opened')
  const [layer, ...others] = layersOf(content)
  if (others.length > 0) throw new Error('no source gives several layers yet')
  return openLocation(layer.location, {...options, sha256: digest})
}

function openLocation(
  location: Location,
  options: OpenImageOptions & {readonly sha256: Sha256 | undefined},
): Promise<OpenedImage> | OpenedImage {
  const {sha256, context, cacheFolder} = options
  switch (location.kind) {
    case 'standard-input':
      return openStandardInputImage(options.standardInput ?? process.stdin, {sha256})
    case 'file':
      return openFileImage(location.path, {
        source: location.path,
        sha256,
        digests: openDigestMemory(cacheFolder),
      })
    case 'url': {
      const {environment, signal} = context
      return openUrlImage(location.url, {...options, environment, signal})
    }
  }
}
