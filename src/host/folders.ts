import {mkdirSync, readdirSync, statSync} from 'node:fs'
import {dirname} from 'node:path'
import {EnvsError, ExitCode} from '../errors.js'
import {isErrno, unlessErrno} from './errno.js'

/** Where a folder should be made is none where any can be, such as /proc. */
export class NoPlaceForFolderError extends EnvsError {
  constructor(path: string, cause: unknown) {
    super(`The folder ${path} can not be made: its file system takes none.`, {
      code: 'ENVS_STORAGE_FAILED',
      exitCode: ExitCode.storage,
      suggestions: ['Set ENVS_HOME, or the XDG_ variable that leads there, to another folder.'],
      cause,
    })
  }
}

/**
 * Makes a folder and those above it, as `mkdir -p` does. Node's own recursive mkdir says ENOENT where the disk is
 * full or read-only (seen with Node 20).
 *
 * @param mode - Of each folder that is made; what is there keeps its own.
 * @throws {NoPlaceForFolderError} @throws {NodeJS.ErrnoException}
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
        ? new NoPlaceForFolderError(path, again)
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
