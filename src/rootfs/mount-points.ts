import {lstat, mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {errnoOf} from '../errors.js'
import {MountPointError} from './errors.js'

/**
 * Ensures that folders of a stopped environment can be mount points, with a real folder at every step to
 * them.
 *
 * A link would lead an older bwrap to a folder of the host, and bwrap 0.12 refuses links with its own
 * message.
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

/**
 * Checks the same for a tree in layers, where nothing has to be made: an image's layer has all of them.
 *
 * @param trees - Folders of the layers, the uppermost first.
 * @throws {MountPointError} If the guest replaced or removed one.
 */
export async function checkMountPoints(
  trees: readonly [string, ...string[]],
  folders: readonly string[],
): Promise<void> {
  for (const folder of folders) {
    const parts = folder.split('/')
    for (const [index] of parts.entries()) {
      const path = parts.slice(0, index + 1).join('/')
      if (!(await isFolderOnTop(trees, path))) throw new MountPointError(`/${path}`)
    }
  }
}

/** Decides by the uppermost layer that has an entry there; a whiteout is not a folder either. */
async function isFolderOnTop(trees: readonly string[], path: string): Promise<boolean> {
  for (const tree of trees) {
    const status = await lstat(join(tree, path)).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
    })
    if (status !== undefined) return status.isDirectory()
  }
  return false
}

async function ensureFolder(path: string, root: string): Promise<void> {
  try {
    if (!(await lstat(path)).isDirectory()) throw new MountPointError(path.slice(root.length))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    await mkdir(path, {mode: 0o755})
  }
}
