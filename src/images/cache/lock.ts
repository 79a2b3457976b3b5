import type {Sha256} from '../../host/digest.js'
import {awaitLock, type Lock, type LockMode, openLockFile, takeLock} from '../../host/flock.js'
import {makeFolders} from '../../host/folders.js'
import {lockFolder, lockPath} from './folders.js'

/** The lock of one image: shared by those that read it, exclusive for fetching and removing it. */
export async function tryLockImage(
  images: string,
  sha256: Sha256,
  mode: LockMode,
): Promise<Lock | undefined> {
  await makeFolders(lockFolder(images), {mode: 0o700})
  return takeLock(lockPath(images, sha256), {mode, waitMs: 0})
}

/** Waits for whoever fetches the same image, as long as that takes. @param onWait - Called once, if it has to. */
export async function lockImageForFetching(
  images: string,
  sha256: Sha256,
  waiting: {signal: AbortSignal; onWait: () => void},
): Promise<Lock> {
  await makeFolders(lockFolder(images), {mode: 0o700})
  return awaitLock(openLockFile(lockPath(images, sha256)), waiting)
}
