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
import {isErrno, unlessErrno} from './errno.js'
import {noPlaceForFolderError} from './errors.js'
import {capture} from './process.js'

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

const MARK = '.partial-'
const WRITER = /\.partial-(\d+)-[0-9a-f]{8}$/
/** A guest may have filled the folder. */
const MOST_ENTRIES = 1000

/** Where this process puts together what is to be renamed to `path`; another place each time. */
export function partialPath(path: string): string {
  return `${path}${MARK}${process.pid}-${randomBytes(4).toString('hex')}`
}

/** The process that puts together what is to be `path`; undefined where `name` is of something else. */
export function writerOf(name: string, path: string): number | undefined {
  const pid = name.startsWith(`${basename(path)}${MARK}`) ? WRITER.exec(name)?.[1] : undefined
  return pid === undefined ? undefined : Number(pid)
}

/**
 * Takes away what writers of the same file left that were killed. What can't be goes with a later write.
 *
 * In a container or on another machine, process ids are others: a live writer may lose its file, and has to begin again.
 */
async function removeForsaken(path: string): Promise<void> {
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

/** Another user's process counts too. @see kill(2) */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !isErrno(error, 'ESRCH')
  }
}

/**
 * Makes a folder and those above it, as `mkdir -p` does. Node's own recursive mkdir says ENOENT where the disk is
 * full or read-only (seen with Node 20).
 *
 * @param mode - Of each folder that is made; what is there keeps its own.
 * @throws {@link noPlaceForFolderError} @throws {NodeJS.ErrnoException}
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
      // It was there a moment ago.
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
    // A read-only file system says so even of a folder that is there.
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

/** Names in a folder, in no order; none where there is no folder. @throws {NodeJS.ErrnoException} */
export function namesIn(folder: string): string[] {
  return unlessErrno(() => readdirSync(folder), 'ENOENT') ?? []
}

/** Puts on the disk what the file system of a folder has not written yet. @see sync(1) -f, syncfs(2) */
export async function syncFileSystem(folder: string): Promise<void> {
  await capture(['sync', '-f', folder])
}

/** Little enough for a disk to take while the next is made, and so much that few programs are started for it. */
const STEP_BYTES = 64 * 2 ** 20

/**
 * The same ahead of time, for what is changed but a little until it is synced at last.
 *
 * @param bytes - What was written; for little it is not worth a program.
 */
export async function syncAhead(folder: string, bytes: number): Promise<void> {
  // Whoever needs it on the disk syncs at the end, and sees then what is wrong.
  if (bytes >= STEP_BYTES) await syncFileSystem(folder).catch(() => {})
}

/** Has what is written bit by bit put on the disk meanwhile, so that the sync at the end has little left to wait for. */
export class WriteBehind {
  #begunAtBytes = 0
  #running: Promise<void> | undefined

  constructor(private readonly folder: string) {}

  /** @param bytes - All that was written until now. */
  note(bytes: number): void {
    if (this.#running !== undefined || bytes - this.#begunAtBytes < STEP_BYTES) return
    this.#begunAtBytes = bytes
    this.#running = syncAhead(this.folder, STEP_BYTES).finally(() => {
      this.#running = undefined
    })
  }
}

/** Far more than any reader takes, and far less than what fills the memory. */
const MOST_BYTES = 64 * 2 ** 20

/** Another thing than a file of some kilobytes is in its place; told as the system tells of a file that is too large. */
class NotSmallFileError extends Error {
  readonly code = 'EFBIG'
  readonly errno = -system.errno.EFBIG
}

/**
 * Reads a file of some kilobytes as text. A FIFO in its place does not hold this process, nor does a huge file fill it.
 *
 * Synchronous: by way of another thread it costs several times as much, and there are commands that read hundreds.
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

/** Lets new files have exactly the modes that are asked for. For a program of its own: a process has one umask. */
export function openUmask(): void {
  process.umask(0)
}

/** Whether new files get the modes they are asked for. Sets the umask and sets it back: no thread may make files. */
export function isUmaskOpen(): boolean {
  const umask = process.umask(0)
  process.umask(umask)
  return umask === 0
}

/** Whether this user can reach `path`, and with a `mode` of W_OK also write there. @see access(2) */
export async function isAccessible(path: string, mode: number = constants.F_OK): Promise<boolean> {
  try {
    await access(path, mode)
    return true
  } catch {
    return false
  }
}
