import {mkdir, rename, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {Sha256} from '../../host/digest.js'
import {makeFolders, publish, syncFilesIn, writeFileAtomic} from '../../host/files.js'
import {type Downloaded, download} from '../../host/http/download.js'
import {type Lock, lockDescriptor} from '../../host/locks.js'
import {type FetchHooks, MAX_IMAGE_BYTES} from '../download.js'
import type {Evidence, PublishedImage} from '../resolved-image.js'
import type {ImageContext} from '../sources/source.js'
import {readKept} from './cache.js'
import {ImageRecordUnreadableError} from './errors.js'
import {type ImageFiles, imageFiles, lockImageForFetching, partialFiles} from './layout.js'
import {factsOf, type ImageRecord, isFileName, renderImageRecord} from './record.js'

type KeepOptions = {
  /** The folder of cached images. */
  readonly images: string
  readonly signal: AbortSignal
  /** Called if another process fetches or builds the same image. */
  readonly onWait?: () => void
}

/**
 * Fetches an image into the cache, where it appears complete and verified or not at all.
 *
 * Processes that need the same image share the download; an interrupted download is resumed.
 *
 * @returns The path of the tarball and its lock, which prevents removal until it is released.
 * @throws As `download`.
 */
export function fetchAndKeep(
  image: PublishedImage,
  {
    images,
    context,
  }: {
    readonly images: string
    readonly context: Pick<ImageContext, 'environment' | 'now' | 'backoffMs'>
  },
  {signal, onProgress}: FetchHooks,
): Promise<Downloaded & {readonly lock: Lock}> {
  const {digest: sha256, content, trust} = image
  const {location, sizeBytes: expectedBytes} = content.layer
  const options = {images, signal, onWait: () => onProgress({stage: 'download-wait'})}
  return cacheOnce(sha256, options, async ({folder, archive, evidence}) => {
    await makeFolders(folder, {mode: 0o700})
    const {sizeBytes} = await download({
      url: location.url,
      destination: archive,
      environment: context.environment,
      sha256,
      expectedBytes,
      maxBytes: MAX_IMAGE_BYTES,
      signal,
      onProgress,
      ...(context.backoffMs === undefined ? {} : {backoffMs: context.backoffMs}),
    })
    await writeEvidence(evidence, trust.evidence)
    return {...factsOf(image), sha256, sizeBytes, fetchedAt: context.now}
  })
}

/**
 * Moves an image that was built here into the cache.
 *
 * Its bytes are not synced: damage by a power failure shows in the digest when they are read, and the image can be
 * built again.
 *
 * @param made - The file, on the file system of the cache; it is moved.
 * @returns The lock of the image, which prevents removal until it is released.
 */
export async function keepMade(record: ImageRecord, made: string, options: KeepOptions): Promise<Lock> {
  const {lock} = await cacheOnce(record.sha256, options, async ({folder, archive}) => {
    await makeFolders(options.images, {mode: 0o700})
    // An interrupted download; the lock proves that no other process uses it.
    await rm(folder, {recursive: true, force: true})
    await mkdir(folder, {mode: 0o700})
    await rename(made, archive)
    return record
  })
  return lock
}

/** Makes the image unless it is cached, and publishes it by a rename. @returns The tarball with a shared lock. */
async function cacheOnce(
  sha256: Sha256,
  {images, signal, onWait = () => {}}: KeepOptions,
  make: (partial: ImageFiles) => Promise<ImageRecord>,
): Promise<Downloaded & {readonly lock: Lock}> {
  const lock = await lockImageForFetching(images, sha256, {signal, onWait})
  try {
    const {folder, archive} = imageFiles(images, sha256)
    let record: ImageRecord | undefined = await readKept(images, sha256).catch(ignoreUnreadable)
    if (record === undefined) {
      const partial = partialFiles(images, sha256)
      record = await make(partial)
      await writeFileAtomic(partial.record, renderImageRecord(record), {mode: 0o600})
      // Only a damaged image can be there: an intact one would have been returned.
      await rm(folder, {recursive: true, force: true})
      await publish(partial.folder, folder)
    }
    // Lets waiting processes read the image. No process can remove it unnoticed between the two modes.
    await lockDescriptor(lock.fd, {mode: 'shared', waitMs: 0})
    return {path: archive, sha256, sizeBytes: record.sizeBytes, lock}
  } catch (error) {
    lock.release()
    throw error
  }
}

async function writeEvidence(folder: string, {listing, signature}: Evidence): Promise<void> {
  await rm(folder, {recursive: true, force: true})
  await mkdir(folder, {mode: 0o700})
  for (const file of [listing, signature]) {
    if (file === undefined) continue
    if (!isFileName(file.name)) throw new Error(`${file.name} is not a valid name of an evidence file`)
    await writeFile(join(folder, file.name), file.bytes, {mode: 0o600})
  }
  await syncFilesIn(folder)
}

function ignoreUnreadable(error: unknown): undefined {
  if (!(error instanceof ImageRecordUnreadableError)) throw error
}
