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
import type {OpenedContainer, OpenedImage, OpenedTarballs, Publication} from './opened-image.js'
import type {KeptResolution, Resolution} from './resolve.js'
import {
  type ContainerContent,
  isPublished,
  type Layer,
  type LayerLocation,
  layersOf,
  type PublishedImage,
  type ResolvedImage,
} from './resolved-image.js'
import type {ImageContext} from './sources/source.js'

export type OpenImageOptions = {
  /** The user's cache folder, which also holds downloads of URLs. */
  readonly cacheFolder: string
  /** The folder of cached images. */
  readonly images: string
  readonly context: ImageContext
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  /** Called when a named image is complete and cached. */
  readonly onStored?: (() => void) | undefined
  /** Whether a cached image may be removed meanwhile, because its tarball is not needed. */
  readonly isRemovable?: boolean
  readonly standardInput?: StandardInput | undefined
}

/**
 * Opens an image; a remote image is readable as soon as its first bytes are downloaded. The caller closes it.
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

/** Opens an image that is not cached, at its location. */
async function openInPlace(
  {content, digest}: ResolvedImage,
  options: OpenImageOptions,
): Promise<OpenedImage> {
  if (content.kind === 'container') return openContainer(content)
  if (content.kind === 'packages') throw new Error('an image of packages is made before it is opened')
  const [first, ...above] = layersOf(content)
  if (above.length === 0) return openLocation(first.location, {...options, sha256: digest})
  return openStack([first, ...above], digest, options)
}

/** Every byte that is used has a digest in the manifest, whose own digest identifies the image. */
function openContainer({image, source}: ContainerContent): OpenedContainer {
  const {digest: sha256, trust, name} = image
  const identity = {sha256, trust}
  return {
    source: name,
    container: image,
    blobs: source,
    expected: sha256,
    isReadToIdentify: false,
    identify: async () => identity,
    verify: async () => ({...identity, sizeBytes: image.layers.reduce((sum, {blob}) => sum + blob.size, 0)}),
    close: () => source.close(),
  }
}

/**
 * Opens layers as one image. Each layer is verified against its own digest; the image digest is not a hash of
 * these bytes.
 */
async function openStack(
  layers: readonly Layer[],
  sha256: Sha256 | undefined,
  options: OpenImageOptions,
): Promise<OpenedTarballs> {
  if (sha256 === undefined) throw new Error('an image of several layers has a digest')
  const opened: OpenedTarballs[] = []
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
  location: LayerLocation,
  options: OpenImageOptions & {readonly sha256: Sha256 | undefined},
): Promise<OpenedTarballs> | OpenedTarballs {
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

type PublishedFacts = Publication & {readonly source: string; readonly sha256: Sha256}

/** A resolution whose image is cached, or is cached once it is fetched. */
export type KeepableResolution = {readonly kind: 'found'; readonly image: PublishedImage} | KeptResolution

export type NamedImageOptions = {
  /** The folder of cached images. */
  readonly images: string
  /** The user's cache folder. */
  readonly cacheFolder: string
  readonly context: ImageContext
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  /** Called when the fetched image is complete and cached. */
  readonly onStored?: (() => void) | undefined
  /** Whether a cached image may be removed meanwhile, because its tarball is not needed. */
  readonly isRemovable?: boolean
}

/**
 * Opens a resolved image: from the cache, else while it is fetched into the cache.
 *
 * Unless `isRemovable`, a lock protects the image from removal until it is closed.
 *
 * @returns An image whose `verify` returns `signed` and the signer.
 * @throws As `fetchAndKeep`.
 */
async function openNamedImage(
  resolution: KeepableResolution,
  options: NamedImageOptions,
): Promise<OpenedTarballs> {
  const {sha256, source, ...publication} = publishedFacts(resolution)
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

/** Returns the publication facts of a new or a cached image. */
function publishedFacts(resolution: KeepableResolution): PublishedFacts {
  const {kind, image} = resolution
  const sha256 = kind === 'kept' ? image.sha256 : image.digest
  const {name, version, signer, signedAt, archive, url} = kind === 'kept' ? image : factsOf(image)
  return {name, version, signer, signedAt, archive, sha256, source: url}
}

const NO_LOCK: Pick<Lock, 'release'> = {release() {}}

/** A tarball and its lock, once it is locked. */
type LockedTarball = {
  readonly kind: 'kept' | 'fetched'
  readonly image: OpenedTarballs
  readonly release: () => void
}

/** @returns undefined if the image is not cached, or another process is fetching it. */
async function openKept(
  resolution: KeepableResolution,
  {images, cacheFolder, isRemovable = false}: NamedImageOptions,
): Promise<LockedTarball | undefined> {
  const {sha256, source} = publishedFacts(resolution)
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

async function openFetched(
  resolution: KeepableResolution,
  options: NamedImageOptions,
): Promise<LockedTarball> {
  const {images, context, onProgress} = options
  const {sha256, source, name} = publishedFacts(resolution)
  // A cached image that disappeared is being removed by another command.
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
