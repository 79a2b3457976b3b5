import {chmod, lstat, mkdir, unlink} from 'node:fs/promises'
import {join} from 'node:path'
import {ignoreFailure, ignoring} from '../host/errno.js'
import {makeFolders} from '../host/folders.js'
import type {Paths} from '../host/paths.js'
import {sharedPackages} from '../host/shared-packages.js'

/** Of the folder that is bound at the guest's /run/envs. */
const MOUNT_POINT = 'packages'

/**
 * Makes the folder of shared packages, and the place where an environment at rest has it mounted.
 *
 * @param resolverFolder - The environment's, which its guest's root could write to.
 * @returns The folder; undefined where the environment has to do without.
 */
export async function preparePackages(
  paths: Pick<Paths, 'packages'>,
  resolverFolder: string,
): Promise<string | undefined> {
  const folder = sharedPackages(paths)
  try {
    await makeFolders(paths.packages, {mode: 0o700})
    await chmod(paths.packages, 0o700)
    await mkdir(folder, {mode: 0o700}).catch(ignoring('EEXIST'))
    await makeMountPoint(join(resolverFolder, MOUNT_POINT))
    return folder
  } catch (error) {
    return ignoreFailure(error)
  }
}

/** A link would lead an older bwrap elsewhere, and bwrap 0.12 would not start for it. */
async function makeMountPoint(path: string): Promise<void> {
  const status = await lstat(path).catch(ignoring('ENOENT'))
  if (status?.isDirectory() === true) return
  if (status !== undefined) await unlink(path)
  await mkdir(path, {mode: 0o755}).catch(ignoring('EEXIST'))
}
