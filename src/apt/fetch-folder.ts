import {createHash, randomBytes} from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import {chmod, mkdir, readdir, rename, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {finishSha256, isSha256, type Sha256} from '../host/digest.js'
import {ignoring, isErrno, unlessErrno} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import {isLockOf, type Lock, takeLock} from '../host/locks.js'
import {type Paths, sharedPackages} from '../host/paths.js'
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

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL} = constants

const PIECE_BYTES = 1 << 20

/**
 * Copies a package that guests can write to, and makes sure of the copy: what is hashed is what is kept, whatever
 * becomes of the original meanwhile.
 *
 * By blocking calls, of which a usual package takes a millisecond: it is less than another thread costs for each.
 *
 * @param source - Anything may lie there: a link, a FIFO, a folder.
 * @param target - Must not be there yet.
 * @returns Whether the copy is there; what is not the package is as none.
 * @throws {NodeJS.ErrnoException} When the copy can't be written.
 */
export function takeShared(
  source: string,
  target: string,
  {sizeBytes, sha256}: {readonly sizeBytes: number; readonly sha256: Sha256},
): boolean {
  const from = openHostile(source)
  if (from === undefined) return false
  try {
    const status = fstatSync(from)
    if (!status.isFile() || status.size !== sizeBytes) return false
    if (copyBytes(from, target, sizeBytes) !== sha256) {
      rmSync(target, {force: true})
      return false
    }
    touch(from)
    return true
  } finally {
    closeSync(from)
  }
}

function openHostile(path: string): number | undefined {
  return unlessErrno(() => openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
}

/** @returns The digest of what was written; never more than `sizeBytes` are read. */
function copyBytes(from: number, target: string, sizeBytes: number): Sha256 {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(sizeBytes, PIECE_BYTES))
  const to = openSync(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  try {
    for (let at = 0; at < sizeBytes; ) {
      const length = readSync(from, buffer, 0, Math.min(buffer.length, sizeBytes - at), at)
      if (length === 0) break
      const piece = buffer.subarray(0, length)
      hash.update(piece)
      writeFileSync(to, piece)
      at += length
    }
  } catch (error) {
    rmSync(target, {force: true})
    throw error
  } finally {
    closeSync(to)
  }
  return finishSha256(hash)
}

/** What was used last stays longest. */
function touch(file: number): void {
  try {
    const now = new Date()
    futimesSync(file, now, now)
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}
