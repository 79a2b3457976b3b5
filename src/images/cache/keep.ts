import {mkdir, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {publish, syncFilesIn, writeFileAtomic} from '../../host/atomic-file.js'
import type {Sha256} from '../../host/digest.js'
import {type Lock, lockDescriptor} from '../../host/flock.js'
import {makeFolders} from '../../host/folders.js'
import {type Downloaded, download} from '../../host/http/download.js'
import {type FetchHooks, MAX_IMAGE_BYTES} from '../download-image.js'
import type {Evidence, PublishedImage} from '../resolved-image.js'
import type {ImageContext} from '../sources/source.js'
import {ImageRecordUnreadableError} from './errors.js'
import {imageFiles, partialFiles} from './folders.js'
import {readKept} from './kept-images.js'
import {lockImageForFetching} from './lock.js'
import {isFileName, recordOf, renderImageRecord} from './record.js'

type Options = {
  /** The folder of all images. */
  readonly images: string
  readonly context: Pick<ImageContext, 'environment' | 'now' | 'backoffMs'>
}

/**
 * Fetches an image into the store, where it is whole and verified or is not there. Processes that want the
 * same one share the download; one that was broken off is gone on with.
 *
 * @returns Where it lies, and its lock, which keeps it from being removed until it is released.
 * @throws As `download`.
 */
export async function fetchAndKeep(
  image: PublishedImage,
  {images, context}: Options,
  {signal, onProgress}: FetchHooks,
): Promise<Downloaded & {readonly lock: Lock}> {
  const {digest: sha256, content} = image
  const {location, sizeBytes: expectedBytes} = content.layer
  const lock = await lockImageForFetching(images, sha256, {
    signal,
    onWait: () => onProgress({stage: 'download-wait'}),
  })
  try {
    const path = imageFiles(images, sha256).archive
    const there = await readKept(images, sha256).catch(ignoreUnreadable)
    if (there === undefined) {
      const partial = partialFiles(images, sha256)
      await makeFolders(partial.folder, {mode: 0o700})
      const {sizeBytes} = await download({
        url: location.url,
        destination: partial.archive,
        environment: context.environment,
        sha256,
        expectedBytes,
        maxBytes: MAX_IMAGE_BYTES,
        signal,
        onProgress,
        ...(context.backoffMs === undefined ? {} : {backoffMs: context.backoffMs}),
      })
      await keep(image, {images, sizeBytes, fetchedAt: context.now})
      return {path, sha256, sizeBytes, lock: await shared(lock)}
    }
    return {path, sha256, sizeBytes: there.sizeBytes, lock: await shared(lock)}
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Whoever waits for the image may read it now. Nobody removes it in between that would not be noticed. */
export async function shared(lock: Lock): Promise<Lock> {
  await lockDescriptor(lock.fd, {mode: 'shared', waitMs: 0})
  return lock
}

async function keep(
  image: PublishedImage,
  {images, ...facts}: {images: string; sizeBytes: number; fetchedAt: Date},
): Promise<void> {
  const partial = partialFiles(images, image.digest)
  await writeEvidence(partial.evidence, image.trust.evidence)
  await writeFileAtomic(partial.record, renderImageRecord(recordOf(image, facts)), {mode: 0o600})
  await publishImage(images, image.digest)
}

/** Gives an image its name. Only a damaged one can be there: a sound one would have been taken. */
export async function publishImage(images: string, sha256: Sha256): Promise<void> {
  const {folder} = imageFiles(images, sha256)
  await rm(folder, {recursive: true, force: true})
  await publish(partialFiles(images, sha256).folder, folder)
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

export function ignoreUnreadable(error: unknown): undefined {
  if (!(error instanceof ImageRecordUnreadableError)) throw error
}
