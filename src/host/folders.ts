import {mkdir, stat} from 'node:fs/promises'
import {dirname} from 'node:path'
import {errnoOf} from '../errors.js'

/**
 * Makes a folder and those above it, as `mkdir -p` does. Node's own recursive mkdir says ENOENT where the disk is
 * full or read-only (seen with Node 20).
 *
 * @param mode - Of each folder that is made; what is there keeps its own.
 * @throws {NodeJS.ErrnoException}
 */
export async function makeFolders(path: string, {mode}: {mode: number}): Promise<void> {
  try {
    await mkdir(path, {mode})
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' && dirname(path) !== path) {
      await makeFolders(dirname(path), {mode})
      await mkdir(path, {mode}).catch((failure: unknown) => unlessFolder(path, failure))
    } else await unlessFolder(path, error)
  }
}

/** A read-only file system says so even of a folder that is there. */
async function unlessFolder(path: string, error: unknown): Promise<void> {
  const status = await stat(path).catch(() => undefined)
  if (status?.isDirectory() !== true) throw error
}
