import {randomBytes} from 'node:crypto'
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import {access} from 'node:fs/promises'
import {constants as system} from 'node:os'
import {basename, dirname, join} from 'node:path'
import {promisify} from 'node:util'
import {isErrno, isNamelessFailure, unlessErrno} from './errno.js'
import {noPlaceForFolderError, syncFailedError} from './errors.js'
import {capture} from './process.js'

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/**
 * Replaces `path` with `data` so that a reader, or a crash, sees the old content or the new one.
 *
 * The last component may be planted by a guest (a link, a FIFO): it is replaced, never opened. The folder itself
 * is trusted.
 *
 * @param options.mode - Permission bits, independent of the umask.
 * @param options.isSynced - Whether the file must survive a crash; if not, a crash may leave anything in its
 * place.
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
      await writePartial(partial, data, {mode, isSynced})
      await publish(partial, path, {isSynced})
      break
    } catch (error) {
      rmSync(partial, {force: true})
      // Another process removed the file because it took this process for a dead one.
      const isLost = isErrno(error, 'ENOENT') && attempt < MOST_ATTEMPTS
      if (!isLost) throw withPath(path, error)
    }
  }
  await removeStalePartials(path)
}

const MOST_ATTEMPTS = 3

async function writePartial(
  partial: string,
  data: string | Uint8Array,
  {mode, isSynced}: {readonly mode: number; readonly isSynced: boolean},
): Promise<void> {
  const fd = openSync(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    writeFileSync(fd, data)
    fchmodSync(fd, mode)
    // Only fsync waits for the disk: each of the other calls is cheaper than a thread.
    if (isSynced) await promisify(fsync)(fd)
  } finally {
    closeSync(fd)
  }
}

/** Adds the path to an error of a descriptor, which has none. */
export function withPath(path: string, error: unknown): unknown {
  return isNamelessFailure(error) ? Object.assign(error, {path}) : error
}

/**
 * Syncs the files in a folder, and its entries, in parallel, so that a journal commits them at once.
 *
 * @param folder - A folder that no guest has seen.
 * @see fsync(2)
 */
export async function syncFilesIn(folder: string): Promise<void> {
  const entries = readdirSync(folder, {withFileTypes: true})
  const files = entries.filter((entry) => entry.isFile()).map(({name}) => join(folder, name))
  await Promise.all([syncFolder(folder), ...files.map((path) => syncPath(path, constants.O_NOFOLLOW))])
}

/**
 * Renames a complete file or folder to its final name, which then survives a power failure; its writer must have
 * synced the content. A folder replaces only an empty folder.
 *
 * @param options.isSynced - Whether the name must survive a power failure.
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

/**
 * Syncs a folder, so that a rename in it survives a power failure.
 *
 * @see fsync(2): the entry needs an fsync of its folder.
 */
export async function syncFolder(folder: string): Promise<void> {
  await syncPath(folder, constants.O_DIRECTORY)
}

async function syncPath(path: string, flags: number): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | flags)
  try {
    await promisify(fsync)(fd)
  } catch (error) {
    throw withPath(path, error)
  } finally {
    closeSync(fd)
  }
}

const MARK = '.partial-'
const WRITER = /\.partial-(\d+)-[0-9a-f]{8}$/
/** Bounds the number of entries, because a guest may have filled the folder. */
const MOST_ENTRIES = 1000

/** Returns a unique path for an incomplete file, to be renamed to `path`. */
export function partialPath(path: string): string {
  return `${path}${MARK}${process.pid}-${randomBytes(4).toString('hex')}`
}

/** Returns the pid of the writer of the incomplete file `name` for `path`; undefined for another name. */
export function writerOf(name: string, path: string): number | undefined {
  const pid = name.startsWith(`${basename(path)}${MARK}`) ? WRITER.exec(name)?.[1] : undefined
  return pid === undefined ? undefined : Number(pid)
}

/**
 * Removes incomplete files of killed writers; an entry that cannot be removed is left to a later write.
 *
 * In a container or on another machine the pids differ: a live writer may lose its file, and then starts again.
 */
async function removeStalePartials(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    const entries = opendirSync(folder, {bufferSize: MOST_ENTRIES})
    try {
      for (let count = 0; count < MOST_ENTRIES; count++) {
        const {name} = entries.readSync() ?? {}
        if (name === undefined) break
        const pid = writerOf(name, path)
        if (pid !== undefined && !isAlive(pid)) unlinkSync(join(folder, name))
      }
    } finally {
      entries.closeSync()
    }
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}

/** Returns whether a process exists, of any user. @see kill(2) */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !isErrno(error, 'ESRCH')
  }
}

/**
 * Creates a folder and its parents, as `mkdir -p`. Node's recursive mkdir reports ENOENT if the disk is full or
 * read-only (seen with Node 20).
 *
 * @param mode - Mode of each created folder; existing ones keep theirs.
 * @throws {@link noPlaceForFolderError}
 * @throws {NodeJS.ErrnoException}
 */
export async function makeFolders(path: string, {mode}: {mode: number}): Promise<void> {
  try {
    makeFolder(path, mode)
  } catch (error) {
    if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error
    await makeFolders(dirname(path), {mode})
    try {
      makeFolder(path, mode)
    } catch (again) {
      // The parent exists, so the file system refuses new folders.
      throw isErrno(again, 'ENOENT') && isFolder(dirname(path))
        ? noPlaceForFolderError({path}, {cause: again})
        : again
    }
  }
}

function makeFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, {mode})
  } catch (error) {
    // A read-only file system reports EROFS even for an existing folder.
    if (!isFolder(path)) throw error
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

/** Returns the names in a folder, unordered; empty if the folder does not exist. @throws {NodeJS.ErrnoException} */
export function namesIn(folder: string): string[] {
  return unlessErrno(() => readdirSync(folder), 'ENOENT') ?? []
}

/** Syncs the file system of a folder. @throws {@link syncFailedError} @see sync(1) -f, syncfs(2) */
export async function syncFileSystem(folder: string): Promise<void> {
  const {status, stderr} = await capture(['sync', '-f', folder])
  if (status !== 0)
    throw syncFailedError({path: folder, reason: stderr.trim() || `sync(1) ended with status ${status}`})
}

/** Step size: small enough to overlap with further writes, large enough for few runs of sync(1). */
const STEP_BYTES = 64 * 2 ** 20

/**
 * Syncs the file system early, to shorten a later sync.
 *
 * @param bytes - Number of bytes written; small numbers are ignored.
 */
export async function syncAhead(folder: string, bytes: number): Promise<void> {
  // The final sync reports errors.
  if (bytes >= STEP_BYTES) await syncFileSystem(folder).catch(() => {})
}

/** Syncs a growing amount of data in the background, so that the final sync is short. */
export class WriteBehind {
  #begunAtBytes = 0
  #running: Promise<void> | undefined

  constructor(private readonly folder: string) {}

  /** Starts a sync if enough was written. @param bytes - Total number of bytes written. */
  note(bytes: number): void {
    if (this.#running !== undefined || bytes - this.#begunAtBytes < STEP_BYTES) return
    this.#begunAtBytes = bytes
    this.#running = syncAhead(this.folder, STEP_BYTES).finally(() => {
      this.#running = undefined
    })
  }
}

/** Far more than any small file, far less than the memory. */
const MOST_BYTES = 64 * 2 ** 20

/** The path is not a small file; reported as EFBIG. */
class NotSmallFileError extends Error {
  readonly code = 'EFBIG'
  readonly errno = -system.errno.EFBIG
}

/**
 * Reads a small file as text. A FIFO does not block the process, and a huge file does not fill its memory.
 *
 * Synchronous, because a thread costs several times as much, and some commands read hundreds of files.
 *
 * @throws {NodeJS.ErrnoException}
 */
export function readSmallFile(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const status = fstatSync(fd)
    if ((!status.isFile() && !status.isDirectory()) || status.size > MOST_BYTES)
      throw new NotSmallFileError(`${path} is not a small file`)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

/**
 * Sets the umask to 0, so that new files get exactly the requested modes. Only for separate processes: a process
 * has one umask.
 */
export function openUmask(): void {
  process.umask(0)
}

/** Returns whether the umask is 0. Changes the umask for a moment: no thread may create files meanwhile. */
export function isUmaskOpen(): boolean {
  const umask = process.umask(0)
  process.umask(umask)
  return umask === 0
}

/** Returns whether this user can access `path`; with W_OK, whether the user can write to it. @see access(2) */
export async function isAccessible(path: string, mode: number = constants.F_OK): Promise<boolean> {
  try {
    await access(path, mode)
    return true
  } catch {
    return false
  }
}
