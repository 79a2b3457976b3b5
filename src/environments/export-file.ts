import {createWriteStream, lstatSync} from 'node:fs'
import {link, rm} from 'node:fs/promises'
import {dirname} from 'node:path'
import type {Writable} from 'node:stream'
import {errnoOf} from '../errors.js'
import {publish, syncFolder} from '../host/atomic-file.js'
import {isErrno} from '../host/errno.js'
import {exportUnwritableError, outputExistsError} from './export-errors.js'
import {openPartialExport, removeForsakenExports} from './partial-export.js'

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
