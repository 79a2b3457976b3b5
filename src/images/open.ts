import type {Sha256} from '../host/digest.js'
import {ignoreFailure} from '../host/errno.js'
import {DigestMismatchError, describeHolders} from '../host/errors.js'
import type {DownloadEvent} from '../host/http/attempt.js'
import {partPaths} from '../host/http/part.js'
import type {Lock} from '../host/locks.js'
import {readKept, touchKept} from './cache/cache.js'
import {
  damagedImageInUseError,
  ImageRecordUnreadableError,
  imageInUseError,
  removedDamagedImageError,
} from './cache/errors.js'
import {fetchAndKeep} from './cache/keep.js'
import {partialFiles, tryLockImage} from './cache/layout.js'
import {factsOf} from './cache/record.js'
import {discardKept, sweepImages} from './cache/remove.js'
import {openUrlImage, openWhileFetching} from './download.js'
import {openDigestMemory, openFileImage, openStandardInputImage, type StandardInput} from './local.js'
import type {OpenedImage, Publication} from './opened-image.js'
import type {KeptResolution, Resolution} from './resolve.js'
import {
  isPublished,
  type Layer,
  type Location,
  layersOf,
  type PublishedImage,
  type ResolvedImage,
} from './resolved-image.js'
import type {ImageContext} from './sources/source.js'

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

type Published = Publication & {readonly source: string; readonly sha256: Sha256}

/** An image that has its place among those that are kept, whether it is there by now or not. */
export type KeepableResolution = {readonly kind: 'found'; readonly image: PublishedImage} | KeptResolution

export type NamedImageOptions = {
  /** The folder of kept images. */
  readonly images: string
  /** The user's cache folder. */
  readonly cacheFolder: string
  readonly context: ImageContext
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  /** Told that what was fetched is whole, and kept. */
  readonly onStored?: (() => void) | undefined
  /** Whether a kept one may be removed meanwhile, since nothing of its archive is needed. */
  readonly isRemovable?: boolean
}

/**
 * Opens an image by what it was resolved to: the one that is kept, else while it is fetched to be kept.
 * Until it is closed nobody removes it, unless that is allowed.
 *
 * @returns An image whose `verify` says `signed`, and who did.
 * @throws As `fetchAndKeep`.
 */
async function openNamedImage(
  resolution: KeepableResolution,
  options: NamedImageOptions,
): Promise<OpenedImage> {
  const {sha256, source, ...publication} = publishedOf(resolution)
  const {images, context} = options
  const archive = (await openKept(resolution, options)) ?? (await openFetched(resolution, options))
  const {image} = archive
  return {
    ...image,
    isReadToIdentify: false,
    identify: async () => ({sha256, trust: 'signed', publication}),
    async verify() {
      const {sizeBytes} = await image.verify().catch(async (error: unknown) => {
        if (archive.kind === 'fetched' || !(error instanceof DigestMismatchError)) throw error
        archive.release()
        const isRemoved = await discardKept(images, sha256)
        const damaged = isRemoved ? removedDamagedImageError : damagedImageInUseError
        throw damaged({name: publication.name}, {cause: error})
      })
      await touchKept(images, sha256, context.now)
      return {sha256, sizeBytes, trust: 'signed', publication}
    },
    async close() {
      await image.close()
      archive.release()
    },
  }
}

/** What its publisher says of an image, or said of one that is kept. */
function publishedOf(resolution: KeepableResolution): Published {
  const {kind, image} = resolution
  const sha256 = kind === 'kept' ? image.sha256 : image.digest
  const {name, version, signer, signedAt, archive, url} = kind === 'kept' ? image : factsOf(image)
  return {name, version, signer, signedAt, archive, sha256, source: url}
}

const NO_LOCK: Pick<Lock, 'release'> = {release() {}}

/** An archive and the lock on it, once there is one. */
type Archive = {readonly kind: 'kept' | 'fetched'; readonly image: OpenedImage; readonly release: () => void}

/** @returns undefined when it is not here, or somebody is just fetching it. */
async function openKept(
  resolution: KeepableResolution,
  {images, cacheFolder, isRemovable = false}: NamedImageOptions,
): Promise<Archive | undefined> {
  const {sha256, source} = publishedOf(resolution)
  const lock = isRemovable ? NO_LOCK : await tryLockImage(images, sha256, 'shared')
  if (lock === undefined) return undefined
  try {
    const isRead = isRemovable && resolution.kind === 'kept'
    const kept = isRead ? resolution.image : await readKept(images, sha256)
    if (kept !== undefined) {
      const digests = openDigestMemory(cacheFolder)
      const image = openFileImage(kept.path, {source, sha256, digests})
      return {kind: 'kept', image, release: () => lock.release()}
    }
  } catch (error) {
    if (!(error instanceof ImageRecordUnreadableError)) {
      lock.release()
      throw error
    }
  }
  lock.release()
  return undefined
}

async function openFetched(resolution: KeepableResolution, options: NamedImageOptions): Promise<Archive> {
  const {images, context, onProgress} = options
  const {sha256, source, name} = publishedOf(resolution)
  // It was here a moment ago: another command removes it.
  if (resolution.kind === 'kept') throw imageInUseError({name, holders: describeHolders([])})
  await sweepImages(images, context.now).catch(ignoreFailure)
  let lock: Lock | undefined
  const image = await openWhileFetching({
    source,
    expected: sha256,
    part: partPaths(partialFiles(images, sha256).archive).part,
    async fetch(hooks) {
      const fetched = await fetchAndKeep(resolution.image, {images, context}, hooks)
      lock = fetched.lock
      options.onStored?.()
      return fetched
    },
    signal: context.signal,
    onProgress,
  })
  return {kind: 'fetched', image, release: () => lock?.release()}
}
