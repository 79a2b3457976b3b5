import type {Sha256} from '../host/digest.js'
import type {DownloadEvent} from '../host/http/receive.js'
import {openDigestMemory} from './digest-memory.js'
import {openFileImage} from './file-image.js'
import {openNamedImage} from './named-image.js'
import type {OpenedImage} from './opened-image.js'
import type {Resolution} from './resolve-image.js'
import {isPublished, type Layer, type Location, layersOf, type ResolvedImage} from './resolved-image.js'
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
 * @throws {@link notAnImageFileError}
 * @throws {@link imageUnreadableError}
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
  const [first, ...above] = layersOf(content)
  if (above.length === 0) return openLocation(first.location, {...options, sha256: digest})
  return openStack([first, ...above], digest, options)
}

/** Opens layers as one image, whose digest is not that of its bytes: each layer is held to its own. */
async function openStack(
  layers: readonly Layer[],
  sha256: Sha256 | undefined,
  options: OpenImageOptions,
): Promise<OpenedImage> {
  if (sha256 === undefined) throw new Error('an image of several layers has a digest')
  const opened: OpenedImage[] = []
  const close = async () => {
    await Promise.all(opened.map((image) => image.close()))
  }
  try {
    for (const {location, digest} of layers)
      opened.push(await openLocation(location, {...options, sha256: digest}))
  } catch (error) {
    await close()
    throw error
  }
  const [first, ...above] = opened.map((image) => image.layers[0])
  if (first === undefined) throw new Error('an image without layers')
  return {
    source: opened.map(({source}) => source).join(' '),
    layers: [first, ...above],
    expected: sha256,
    isReadToIdentify: false,
    identify: async () => ({sha256, trust: 'digest'}),
    async verify() {
      const evidence = await Promise.all(opened.map((image) => image.verify()))
      const sizeBytes = evidence.reduce((sum, layer) => sum + layer.sizeBytes, 0)
      return {sha256, sizeBytes, trust: 'digest'}
    },
    close,
  }
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
