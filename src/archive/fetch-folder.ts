import {randomBytes} from 'node:crypto'
import {chmod, mkdir, readdir, rename, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {isSha256} from '../host/digest.js'
import {ignoring} from '../host/errno.js'
import {isLockOf, type Lock, takeLock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import type {Paths} from '../host/paths.js'
import {sharedPackages} from '../host/shared-packages.js'
import {storageError} from './errors.js'

/** A folder for the packages of one run, beside the one that guests reach, with a lock as long as the run. */
export type FetchFolder = {
  readonly path: string
  /** Gives whole packages, by their SHA-256, to all environments, and removes the folder. */
  close(whole: readonly string[]): Promise<void>
}

const PREFIX = '.fetch.'
const LOCK = '.lock'

/**
 * Makes the folder, and takes care of those that killed runs have left: what is whole there is shared.
 *
 * @throws {ArchiveStorageError} @throws {@link flockMissingError}
 */
export async function openFetchFolder(paths: Pick<Paths, 'packages'>): Promise<FetchFolder> {
  const {packages} = paths
  try {
    await makeFolders(packages, {mode: 0o700})
    await chmod(packages, 0o700)
    await mkdir(sharedPackages(paths), {mode: 0o700}).catch(ignoring('EEXIST'))
    await takeUpLeftovers(paths)
    const {path, lock} = await makeFolder(packages)
    return {
      path,
      async close(whole) {
        try {
          await share(path, whole, paths)
          await rm(path, {recursive: true, force: true})
          await rm(`${path}${LOCK}`, {force: true})
        } finally {
          lock.release()
        }
      },
    }
  } catch (error) {
    throw storageError(packages, error)
  }
}

async function makeFolder(packages: string): Promise<{path: string; lock: Lock}> {
  for (;;) {
    const path = join(packages, `${PREFIX}${randomBytes(4).toString('hex')}`)
    const lock = await takeLock(`${path}${LOCK}`, {mode: 'exclusive', waitMs: 0})
    if (lock === undefined) continue
    // Another run may have taken it for a leftover before it was locked.
    if (isLockOf(lock, `${path}${LOCK}`)) {
      await mkdir(path, {mode: 0o700})
      return {path, lock}
    }
    lock.release()
  }
}

async function takeUpLeftovers(paths: Pick<Paths, 'packages'>): Promise<void> {
  const names = (await readdir(paths.packages)).filter(
    (name) => name.startsWith(PREFIX) && name.endsWith(LOCK),
  )
  for (const name of names) {
    const lockPath = join(paths.packages, name)
    const lock = await takeLock(lockPath, {mode: 'exclusive', waitMs: 0})
    if (lock === undefined) continue
    try {
      const path = lockPath.slice(0, -LOCK.length)
      await share(path, (await readdir(path).catch(ignoring('ENOENT'))) ?? [], paths)
      await rm(path, {recursive: true, force: true})
      await rm(lockPath, {force: true})
    } finally {
      lock.release()
    }
  }
}

/** Whoever takes a package from there makes sure of it, so nothing is lost by one that is not what its name says. */
async function share(path: string, names: readonly string[], paths: Pick<Paths, 'packages'>): Promise<void> {
  for (const name of names.filter(isSha256)) {
    // A guest may have closed the folder, or put another one into this place.
    await rename(join(path, name), join(sharedPackages(paths), name)).catch(ignoring())
  }
}
