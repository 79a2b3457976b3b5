import {createHash, randomBytes} from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  openSync,
  readSync,
  renameSync,
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

/** A folder for the downloads of one run, next to the shared folder. Its lock is held until the end of the run. */
export type FetchFolder = {
  readonly path: string
  /** Moves complete packages, named by their SHA-256, to the shared folder, and removes this folder. */
  close(whole: readonly string[]): Promise<void>
}

const PREFIX = '.fetch.'
const LOCK = '.lock'

/**
 * Creates the folder, and cleans up folders of killed runs: their complete packages are shared.
 *
 * @throws {ArchiveStorageError} @throws {@link flockMissingError}
 */
export async function openFetchFolder(paths: Pick<Paths, 'packages'>): Promise<FetchFolder> {
  const {packages} = paths
  try {
    await makeFolders(packages, {mode: 0o700})
    await chmod(packages, 0o700)
    await mkdir(sharedPackages(paths), {mode: 0o700}).catch(ignoring('EEXIST'))
    await shareLeftovers(paths)
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
    // Another run may have removed it as a leftover before it was locked.
    if (isLockOf(lock, `${path}${LOCK}`)) {
      await mkdir(path, {mode: 0o700})
      return {path, lock}
    }
    lock.release()
  }
}

async function shareLeftovers(paths: Pick<Paths, 'packages'>): Promise<void> {
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

/** Moves packages to the shared folder. Readers verify each package, so a damaged one does no harm. */
async function share(path: string, names: readonly string[], paths: Pick<Paths, 'packages'>): Promise<void> {
  for (const name of names.filter(isSha256)) {
    // A guest may have changed the permissions of the folder, or created an entry with this name.
    await rename(join(path, name), join(sharedPackages(paths), name)).catch(ignoring())
  }
}

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL} = constants

const CHUNK_BYTES = 1 << 20

/**
 * Copies a package that guests can write to, and verifies the copy: the bytes that are hashed are the bytes that
 * are written, even if the original changes. The copy appears whole or not at all, because what a killed run leaves
 * under the name of a digest is shared.
 *
 * The calls block: a usual package takes a millisecond, less than a thread costs for each.
 *
 * @param source - Untrusted: a link, a FIFO or a folder may be there.
 * @param target - Must not exist.
 * @returns Whether the copy was made; false if the source is not the package.
 * @throws {NodeJS.ErrnoException} If the copy cannot be written.
 */
export function takeShared(
  source: string,
  target: string,
  {sizeBytes, sha256}: {readonly sizeBytes: number; readonly sha256: Sha256},
): boolean {
  const from = openUntrusted(source)
  if (from === undefined) return false
  try {
    const status = fstatSync(from)
    if (!status.isFile() || status.size !== sizeBytes) return false
    const copy = `${target}.copy`
    if (copyBytes(from, copy, sizeBytes) !== sha256) {
      rmSync(copy, {force: true})
      return false
    }
    renameSync(copy, target)
    touch(from)
    return true
  } finally {
    closeSync(from)
  }
}

function openUntrusted(path: string): number | undefined {
  return unlessErrno(() => openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
}

/** Copies at most `sizeBytes`. @returns The digest of the bytes that were written. */
function copyBytes(from: number, target: string, sizeBytes: number): Sha256 {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(sizeBytes, CHUNK_BYTES))
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

/** Marks a package as used: the least recently used are pruned first. */
function touch(file: number): void {
  try {
    const now = new Date()
    futimesSync(file, now, now)
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}
