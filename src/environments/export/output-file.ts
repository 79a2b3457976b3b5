import {constants, createWriteStream, lstatSync} from 'node:fs'
import {type FileHandle, link, lstat, open, opendir, rm, unlink} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import type {Writable} from 'node:stream'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {ignoring, isErrno} from '../../host/errno.js'
import {partialPath, publish, syncFolder, writerOf} from '../../host/files.js'
import {lockDescriptor} from '../../host/locks.js'
import {exportUnwritableError, outputExistsError} from './errors.js'

/** A file that appears under its name only when it is complete. */
export type ExportFile = {
  readonly stream: Writable
  /** @throws {@link outputExistsError} @throws {@link exportUnwritableError} */
  publish(): Promise<void>
  /** Removes an unfinished file. */
  discard(): Promise<void>
}

/** Errnos of link(2) on a file system without hard links. @see link(2) */
const NO_LINKS = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'] as const

/**
 * Opens a partial file next to the final path. Only its owner can read it, because it contains password hashes.
 *
 * @param path - Absolute.
 * @param replaces - Whether an existing file of that name is replaced.
 * @throws {@link outputExistsError} @throws {@link exportUnwritableError}
 */
export async function openExportFile(path: string, {replaces}: {replaces: boolean}): Promise<ExportFile> {
  await explainErrno(path, async () => {
    await removeAbandonedExports(path)
    checkDestination(path, replaces)
  })
  const {partial, handle, alive} = await explainErrno(path, () => openPartialExport(path))
  // The stream syncs and closes the handle.
  const stream = createWriteStream('', {fd: handle, flush: true})
  return {
    stream,
    async publish() {
      await explainErrno(path, async () => {
        if (!replaces && (await isLinked(partial, path))) await syncFolder(dirname(path))
        else await publish(partial, path)
      })
    },
    async discard() {
      await rm(partial, {force: true})
      await alive.close()
    },
  }
}

function checkDestination(path: string, replaces: boolean): void {
  const status = lstatSync(path, {throwIfNoEntry: false})
  if (status === undefined) return
  if (status.isDirectory()) throw exportUnwritableError({place: path, reason: 'it is a folder'})
  if (!replaces) throw outputExistsError({path})
  // A rename would replace a device or a FIFO by a file.
  if (!status.isFile() && !status.isSymbolicLink())
    throw exportUnwritableError({place: path, reason: 'it is not a regular file'})
}

/**
 * Publishes the file with a hard link, which, unlike a rename, never replaces an existing file.
 *
 * @returns false if the file system has no hard links. @throws {@link outputExistsError}
 */
async function isLinked(partial: string, path: string): Promise<boolean> {
  try {
    await link(partial, path)
  } catch (error) {
    if (isErrno(error, 'EEXIST')) throw outputExistsError({path})
    if (!isErrno(error, ...NO_LINKS)) throw error
    checkDestination(path, false)
    return false
  }
  await rm(partial)
  return true
}

/** Runs a step. @throws {@link exportUnwritableError} Instead of an errno. */
async function explainErrno<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw exportUnwritableError({place: path, reason: wordsForErrno(errno)}, {cause: error})
  }
}

/** An unfinished tarball, next to its final path. */
export type PartialExport = {
  readonly partial: string
  /** For writing; the writer closes it. */
  readonly handle: FileHandle
  /** Holds the lock that marks the writer as alive, until it is closed after the file was published. */
  readonly alive: FileHandle
}

const MAX_ATTEMPTS = 3

/**
 * Creates the partial file, which only its owner can read, and locks it.
 *
 * @param path - The final path of the tarball.
 * @throws {NodeJS.ErrnoException}
 */
async function openPartialExport(path: string): Promise<PartialExport> {
  for (let attempt = 1; ; attempt++) {
    const partial = partialPath(path)
    const alive = await open(partial, 'wx', 0o600)
    try {
      // Before the lock is held, another export may remove the file as abandoned. Ctrl-C ends flock(1) too.
      if ((await lock(alive)) !== 'others' || attempt === MAX_ATTEMPTS)
        return {partial, alive, handle: await open(partial, O_WRONLY | O_NOFOLLOW)}
    } catch (error) {
      if (!isErrno(error, 'ENOENT') || attempt === MAX_ATTEMPTS) {
        await giveUp({partial, alive})
        throw error
      }
    }
    await giveUp({partial, alive})
  }
}

async function giveUp({partial, alive}: Pick<PartialExport, 'partial' | 'alive'>): Promise<void> {
  await rm(partial, {force: true})
  await alive.close()
}

/** Locks the file. @returns `unknown` on a file system without locks, where abandoned files are not removed. */
function lock({fd}: FileHandle): Promise<'ours' | 'others' | 'unknown'> {
  return lockDescriptor(fd, {mode: 'exclusive', waitMs: 0}).then(
    (isFree) => (isFree ? 'ours' : 'others'),
    () => 'unknown',
  )
}

const {O_RDWR, O_WRONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/** Removes the partial files of killed exports to the same path, as far as possible. */
async function removeAbandonedExports(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    for await (const {name} of await opendir(folder)) {
      if (writerOf(name, path) !== undefined)
        await removeAbandonedExport(join(folder, name)).catch(ignoring())
    }
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}

/** Removes one partial file after checking its owner and type: other users can create such a name in a shared folder. */
async function removeAbandonedExport(partial: string): Promise<void> {
  const {uid} = await lstat(partial)
  if (uid !== process.getuid?.()) return
  const handle = await open(partial, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
  try {
    if ((await handle.stat()).isFile() && (await lock(handle)) === 'ours') await unlink(partial)
  } finally {
    await handle.close()
  }
}
