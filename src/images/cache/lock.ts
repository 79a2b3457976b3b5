import type {Sha256} from '../../host/digest.js'
import {type Lock, type LockMode, lockDescriptor, openLockFile, takeLock} from '../../host/flock.js'
import {makeFolders} from '../../host/folders.js'
import {lockFolder, lockPath} from './folders.js'

/** How soon a waiting process notices that it was told to stop. */
const WAIT_STEP_MS = 1000

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
  {signal, onWait}: {signal: AbortSignal; onWait: () => void},
): Promise<Lock> {
  await makeFolders(lockFolder(images), {mode: 0o700})
  const lock = openLockFile(lockPath(images, sha256))
  try {
    if (await lockDescriptor(lock.fd, {mode: 'exclusive', waitMs: 0})) return lock
    onWait()
    while (!(await lockDescriptor(lock.fd, {mode: 'exclusive', waitMs: WAIT_STEP_MS})))
      signal.throwIfAborted()
    return lock
  } catch (error) {
    lock.release()
    throw error
  }
}
