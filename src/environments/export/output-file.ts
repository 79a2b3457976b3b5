import {constants, createWriteStream, lstatSync} from 'node:fs'
import {type FileHandle, link, open, rm} from 'node:fs/promises'
import {dirname} from 'node:path'
import type {Writable} from 'node:stream'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {ignoring, isErrno} from '../../host/errno.js'
import {partialPath, publish, syncFolder} from '../../host/files.js'
import {type ExportNote, lockExport, removeAbandonedExports} from './abandoned.js'
import {exportUnwritableError, outputExistsError} from './errors.js'

/** A file that appears under its name only when it is complete. */
export type ExportFile = {
  /** For writing and reading. Synced and closed by the stream, if one is opened, else by the caller. */
  readonly handle: FileHandle
  openStream(): Writable
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
 * @param options.replaces - Whether an existing file of that name is replaced.
 * @param options.note - Gets the path of the partial file.
 * @throws {@link outputExistsError} @throws {@link exportUnwritableError}
 */
export async function openExportFile(
  path: string,
  {replaces, note}: {replaces: boolean; note: ExportNote | undefined},
): Promise<ExportFile> {
  await explainErrno(path, async () => {
    await removeAbandonedExports(path)
    checkDestination(path, replaces)
  })
  const {partial, handle, alive} = await explainErrno(path, () => openPartialExport(path, note))
  return {
    handle,
    openStream: () => createWriteStream('', {fd: handle, flush: true}),
    async publish() {
      await explainErrno(path, async () => {
        if (!replaces && (await isLinked(partial, path))) await syncFolder(dirname(path))
        else await publish(partial, path)
      })
    },
    async discard() {
      await rm(partial, {force: true})
      await handle.close().catch(ignoring('EBADF'))
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
  /** The writer closes it. */
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
async function openPartialExport(path: string, note: ExportNote | undefined): Promise<PartialExport> {
  for (let attempt = 1; ; attempt++) {
    const partial = partialPath(path)
    await note?.write(partial)
    const alive = await open(partial, 'wx', 0o600)
    try {
      // Before the lock is held, another export may remove the file as abandoned. Ctrl-C ends flock(1) too.
      if ((await lockExport(alive)) !== 'others' || attempt === MAX_ATTEMPTS)
        return {partial, alive, handle: await open(partial, O_RDWR | O_NOFOLLOW)}
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

const {O_RDWR, O_NOFOLLOW} = constants
