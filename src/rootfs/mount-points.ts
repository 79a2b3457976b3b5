import {lstat, mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {ignoring, isErrno} from '../host/errno.js'
import {mountPointError} from './errors.js'

/**
 * Ensures that folders of a stopped environment can be mount points, with a real folder at every step to
 * them.
 *
 * A link would lead an older bwrap to a folder of the host, and bwrap 0.12 refuses links with its own
 * message.
 *
 * @param folders - Relative to `root`, without `..`.
 * @throws {@link mountPointError}
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
 * @throws {@link mountPointError} When the guest has put something else in the way, or taken one away.
 */
export async function checkMountPoints(
  trees: readonly [string, ...string[]],
  folders: readonly string[],
): Promise<void> {
  for (const folder of folders) {
    const obstacle = await obstacleTo(trees, folder)
    if (obstacle !== undefined) throw mountPointError({path: `/${obstacle}`})
  }
}

/** Returns those of some folders that are real folders of a tree in layers, with a real folder at every step to them. */
export async function realFolders(
  trees: readonly [string, ...string[]],
  folders: readonly string[],
): Promise<string[]> {
  const found: string[] = []
  for (const folder of folders) if ((await obstacleTo(trees, folder)) === undefined) found.push(folder)
  return found
}

/** Returns the first step to a folder that is not a folder itself; undefined if all are. */
async function obstacleTo(trees: readonly string[], folder: string): Promise<string | undefined> {
  const parts = folder.split('/')
  for (const [index] of parts.entries()) {
    const path = parts.slice(0, index + 1).join('/')
    if (!(await isFolderOnTop(trees, path))) return path
  }
  return undefined
}

/** Decides by the uppermost layer that has an entry there; a whiteout is not a folder either. */
async function isFolderOnTop(trees: readonly string[], path: string): Promise<boolean> {
  for (const tree of trees) {
    const status = await lstat(join(tree, path)).catch(ignoring('ENOENT'))
    if (status !== undefined) return status.isDirectory()
  }
  return false
}

async function ensureFolder(path: string, root: string): Promise<void> {
  try {
    if (!(await lstat(path)).isDirectory()) throw mountPointError({path: path.slice(root.length)})
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    await mkdir(path, {mode: 0o755})
  }
}
