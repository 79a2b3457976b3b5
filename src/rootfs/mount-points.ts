import {lstat, mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {errnoOf} from '../errors.js'
import {MountPointError} from './errors.js'

/**
 * Makes sure that folders of a tree at rest can be mounted on, every step to them a real folder.
 *
 * A link would lead an older bwrap to a folder of the host, and bwrap 0.12 refuses one with a message of its own.
 *
 * @param folders - Relative to `root`, without `..`.
 * @throws {MountPointError}
 */
export async function ensureMountPoints(root: string, folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    let path = root
    for (const part of folder.split('/')) {
      path = join(path, part)
      await ensureFolder(path, root)
    }
  }
}

async function ensureFolder(path: string, root: string): Promise<void> {
  try {
    if (!(await lstat(path)).isDirectory()) throw new MountPointError(path.slice(root.length))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    await mkdir(path, {mode: 0o755})
  }
}
