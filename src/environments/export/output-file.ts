import {constants, createWriteStream, lstatSync} from 'node:fs'
import {type FileHandle, link, lstat, open, opendir, rm, unlink} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import type {Writable} from 'node:stream'
import {errnoOf} from '../../errors.js'
import {ignoring, isErrno} from '../../host/errno.js'
import {partialPath, publish, syncFolder, writerOf} from '../../host/files.js'
import {lockDescriptor} from '../../host/locks.js'
import {exportUnwritableError, outputExistsError} from './errors.js'

/** A file that appears under its name when it is whole, and not before. */
export type ExportFile = {
  readonly stream: Writable
  /** @throws {@link outputExistsError} @throws {@link exportUnwritableError} */
  publish(): Promise<void>
  /** Takes an unfinished one away. */
  discard(): Promise<void>
}

/** What a file system without hard links answers to one. @see link(2) */
const NO_LINKS = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'] as const

/**
 * Begins a file beside the place it is for. Nobody else may read it: there are password hashes in it.
 *
 * @param path - Absolute.
 * @param replaces - Whether a file of that name gives way to it.
 * @throws {@link outputExistsError} @throws {@link exportUnwritableError}
 */
export async function openExportFile(path: string, {replaces}: {replaces: boolean}): Promise<ExportFile> {
  await removeForsakenExports(path)
  checkPlace(path, replaces)
  const {partial, handle, alive} = await explained(path, () => openPartialExport(path))
  // Closed by the stream, once it has been synced.
  const stream = createWriteStream('', {fd: handle, flush: true})
  return {
    stream,
    async publish() {
      await explained(path, async () => {
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

function checkPlace(path: string, replaces: boolean): void {
  const status = lstatSync(path, {throwIfNoEntry: false})
  if (status === undefined) return
  if (!replaces) throw outputExistsError({path})
  // A rename would put a file in the place of a device or a FIFO.
  if (!status.isFile() && !status.isSymbolicLink())
    throw exportUnwritableError({place: path, reason: 'it is not a regular file'})
}

/** A link, unlike a rename, replaces nothing. @returns false where the file system has none. @throws {OutputExistsError} */
async function isLinked(partial: string, path: string): Promise<boolean> {
  try {
    await link(partial, path)
  } catch (error) {
    if (isErrno(error, 'EEXIST')) throw outputExistsError({path})
    if (!isErrno(error, ...NO_LINKS)) throw error
    checkPlace(path, false)
    return false
  }
  await rm(partial)
  return true
}

/** @throws {@link exportUnwritableError} In the place of an errno. */
async function explained<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw exportUnwritableError({place: path, reason: errno}, {cause: error})
  }
}

/** An archive that is being written, beside the place it is for. */
export type PartialExport = {
  readonly partial: string
  /** To write it; whoever does closes it. */
  readonly handle: FileHandle
  /** Says that its writer lives, until it is closed: also while it gets its name. */
  readonly alive: FileHandle
}

const MOST_ATTEMPTS = 3

/**
 * Nobody else may read it.
 *
 * @param path - What the archive is to be called.
 * @throws {NodeJS.ErrnoException}
 */
async function openPartialExport(path: string): Promise<PartialExport> {
  for (let attempt = 1; ; attempt++) {
    const partial = partialPath(path)
    const alive = await open(partial, 'wx', 0o600)
    try {
      // Before it is locked, another export may take it for a dead one's; and Ctrl-C ends flock(1) too.
      if ((await lock(alive)) !== 'others' || attempt === MOST_ATTEMPTS)
        return {partial, alive, handle: await open(partial, O_WRONLY | O_NOFOLLOW)}
    } catch (error) {
      if (!isErrno(error, 'ENOENT') || attempt === MOST_ATTEMPTS) {
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

/** Whose it is; nobody's can be told on a file system without locks, where nothing is swept then. */
function lock({fd}: FileHandle): Promise<'ours' | 'others' | 'unknown'> {
  return lockDescriptor(fd, {mode: 'exclusive', waitMs: 0}).then(
    (isFree) => (isFree ? 'ours' : 'others'),
    () => 'unknown',
  )
}

const {O_RDWR, O_WRONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/** Takes away what killed exports to the same file have left, where that can be done. */
async function removeForsakenExports(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    for await (const {name} of await opendir(folder)) {
      if (writerOf(name, path) !== undefined) await removeForsakenExport(join(folder, name)).catch(ignoring())
    }
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}

/** Anybody may have put something of such a name into a folder that is everybody's. */
async function removeForsakenExport(partial: string): Promise<void> {
  const {uid} = await lstat(partial)
  if (uid !== process.getuid?.()) return
  const handle = await open(partial, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
  try {
    if ((await handle.stat()).isFile() && (await lock(handle)) === 'ours') await unlink(partial)
  } finally {
    await handle.close()
  }
}
