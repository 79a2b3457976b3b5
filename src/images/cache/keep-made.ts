import {mkdir, rename, rm} from 'node:fs/promises'
import {writeFileAtomic} from '../../host/atomic-file.js'
import type {Lock} from '../../host/flock.js'
import {makeFolders} from '../../host/folders.js'
import {partialFiles} from './folders.js'
import {ignoreUnreadable, publishImage, shared} from './keep.js'
import {readKept} from './kept-images.js'
import {lockImageForFetching} from './lock.js'
import {type ImageRecord, renderImageRecord} from './record.js'

/**
 * Keeps an image that was made here.
 *
 * Its bytes are not synced: what a power cut takes of them shows in the digest when they are read, and can be made again.
 *
 * @param archive - Its file, on the file system of the images; gone afterwards.
 * @returns The lock of the image, which keeps it from being removed until it is released.
 */
export async function keepMade(
  record: ImageRecord,
  archive: string,
  {images, signal}: {images: string; signal: AbortSignal},
): Promise<Lock> {
  const {sha256} = record
  const lock = await lockImageForFetching(images, sha256, {signal, onWait: () => {}})
  try {
    if ((await readKept(images, sha256).catch(ignoreUnreadable)) === undefined) {
      const partial = partialFiles(images, sha256)
      await makeFolders(images, {mode: 0o700})
      // A download that was broken off; nobody else has it, or there would be no lock.
      await rm(partial.folder, {recursive: true, force: true})
      await mkdir(partial.folder, {mode: 0o700})
      await rename(archive, partial.archive)
      await writeFileAtomic(partial.record, renderImageRecord(record), {mode: 0o600})
      await publishImage(images, sha256)
    }
    return await shared(lock)
  } catch (error) {
    lock.release()
    throw error
  }
}
