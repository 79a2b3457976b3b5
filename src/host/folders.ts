import {mkdirSync, readdirSync, statSync} from 'node:fs'
import {dirname} from 'node:path'
import {isErrno, unlessErrno} from './errno.js'
import {noPlaceForFolderError} from './errors.js'

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
