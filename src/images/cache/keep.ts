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
  /** The folder of all images. */
  readonly images: string
  readonly signal: AbortSignal
  /** Told that another process fetches or makes the same one. */
  readonly onWait?: () => void
}

/**
 * Fetches an image into the store, where it is whole and verified or is not there. Processes that want the
 * same one share the download; one that was broken off is gone on with.
 *
 * @returns Where it lies, and its lock, which keeps it from being removed until it is released.
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
  return keepUnlessThere(sha256, options, async ({folder, archive, evidence}) => {
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
 * Keeps an image that was made here.
 *
 * Its bytes are not synced: what a power cut takes of them shows in the digest when they are read, and can be made again.
 *
 * @param made - Its file, on the file system of the images; gone afterwards.
 * @returns The lock of the image, which keeps it from being removed until it is released.
 */
export async function keepMade(record: ImageRecord, made: string, options: KeepOptions): Promise<Lock> {
  const {lock} = await keepUnlessThere(record.sha256, options, async ({folder, archive}) => {
    await makeFolders(options.images, {mode: 0o700})
    // A download that was broken off; nobody else has it, or there would be no lock.
    await rm(folder, {recursive: true, force: true})
    await mkdir(folder, {mode: 0o700})
    await rename(made, archive)
    return record
  })
  return lock
}

/** Has the image put together, unless it is here, and makes it appear whole. @returns With its lock, which is shared. */
async function keepUnlessThere(
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
      // Only a damaged one can be there: a sound one would have been taken.
      await rm(folder, {recursive: true, force: true})
      await publish(partial.folder, folder)
    }
    // Whoever waits for the image may read it now. Nobody removes it in between that would not be noticed.
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
    if (!isFileName(file.name)) throw new Error(`${file.name} is no name for a file of evidence`)
    await writeFile(join(folder, file.name), file.bytes, {mode: 0o600})
  }
  await syncFilesIn(folder)
}

function ignoreUnreadable(error: unknown): undefined {
  if (!(error instanceof ImageRecordUnreadableError)) throw error
}
