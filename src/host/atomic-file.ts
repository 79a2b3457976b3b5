import {
  closeSync,
  constants,
  fchmodSync,
  fsync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import {dirname, join} from 'node:path'
import {promisify} from 'node:util'
import {isErrno} from './errno.js'
import {partialPath, removeForsaken} from './partial-files.js'

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/**
 * Replaces `path` with `data` so that a reader, or a crash, sees the old content or the new one.
 *
 * The last component may be anything a guest could have planted (a link, a FIFO): it is replaced, never
 * opened. The folder itself is trusted.
 *
 * @param options.mode - Permission bits, whatever the umask.
 * @param options.isSynced - Whether it has to outlive a crash; where not, a crash may leave anything in its place.
 * @throws {NodeJS.ErrnoException}
 * @see rename(2)
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  {mode, isSynced = true}: {readonly mode: number; readonly isSynced?: boolean},
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const partial = partialPath(path)
    try {
      await writeWhole(partial, data, {mode, isSynced})
      await publish(partial, path, {isSynced})
      break
    } catch (error) {
      rmSync(partial, {force: true})
      // Somebody took this process for a dead one.
      const isLost = isErrno(error, 'ENOENT') && attempt < MOST_ATTEMPTS
      if (!isLost) throw naming(path, error)
    }
  }
  await removeForsaken(path)
}

const MOST_ATTEMPTS = 3

async function writeWhole(
  partial: string,
  data: string | Uint8Array,
  {mode, isSynced}: {readonly mode: number; readonly isSynced: boolean},
): Promise<void> {
  const fd = openSync(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    writeFileSync(fd, data)
    fchmodSync(fd, mode)
    // The one call that waits for a disk: each of the others is cheaper than another thread to make it.
    if (isSynced) await promisify(fsync)(fd)
  } finally {
    closeSync(fd)
  }
}

/** Errors of a descriptor say nothing of the file. */
function naming(path: string, error: unknown): unknown {
  const isNameless = error instanceof Error && isErrno(error) && !('path' in error)
  return isNameless ? Object.assign(error, {path}) : error
}

/**
 * Makes the files that lie in a folder, and its entries, survive a power cut: all at once, which a journal writes in one go.
 *
 * @param folder - One that no guest has seen.
 * @see fsync(2)
 */
export async function syncFilesIn(folder: string): Promise<void> {
  const entries = readdirSync(folder, {withFileTypes: true})
  const files = entries.filter((entry) => entry.isFile()).map(({name}) => join(folder, name))
  await Promise.all([syncFolder(folder), ...files.map((path) => syncPath(path, constants.O_NOFOLLOW))])
}

/**
 * Gives a file or a folder its name by one rename, which survives a power cut. What is in it was synced by its writer, if that has
 * to survive too. A folder takes the place of an empty one only.
 *
 * @param options.isSynced - Whether the name has to survive.
 * @throws {NodeJS.ErrnoException}
 */
export async function publish(
  partial: string,
  path: string,
  {isSynced = true}: {readonly isSynced?: boolean} = {},
): Promise<void> {
  renameSync(partial, path)
  if (isSynced) await syncFolder(dirname(path))
}

/** Makes a rename in `folder` survive a power cut. @see fsync(2): the entry needs its folder's fsync. */
export async function syncFolder(folder: string): Promise<void> {
  await syncPath(folder, constants.O_DIRECTORY)
}

async function syncPath(path: string, flags: number): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | flags)
  try {
    await promisify(fsync)(fd)
  } catch (error) {
    throw naming(path, error)
  } finally {
    closeSync(fd)
  }
}
