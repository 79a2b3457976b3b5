import {chmod, lstat, mkdir, unlink} from 'node:fs/promises'
import {join} from 'node:path'
import {ignoreFailure, ignoring} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import {type Paths, sharedPackages} from '../host/paths.js'
import {PACKAGES_MOUNT_POINT} from '../sandbox/mounts.js'
import type {SandboxFeature} from './feature.js'

/** Mount point in the folder that is bind-mounted at the guest's /run/envs. */
const MOUNT_POINT = 'packages'

/** Shares the packages that APT has downloaded among all environments of a user. Skipped where the folder can't be prepared. */
export const packageCache: SandboxFeature = {
  id: 'package-cache',
  engines: ['bwrap', 'unshare', 'proot'],
  async apply(spec, {host, environment, isPreview}) {
    const from = isPreview
      ? sharedPackages(host.paths)
      : await preparePackages(host.paths, environment.files.resolver)
    if (from === undefined) return spec
    // `skip`: another command may remove the folder before the mount, and nothing depends on the cache.
    const mount = {kind: 'bind', from, at: PACKAGES_MOUNT_POINT, access: 'rw', ifMissing: 'skip'} as const
    return {...spec, mounts: [...spec.mounts, mount]}
  },
}

/**
 * Makes the folder of shared packages, and its mount point in a stopped environment.
 *
 * @param resolverFolder - The environment's folder that is bind-mounted at /run/envs. The guest's root can write to it.
 * @returns The folder; undefined where it can't be made, and the environment starts without it.
 */
async function preparePackages(
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

/** Makes a folder to mount on in the folder at /run/envs. Replaces a symlink: an older bwrap would follow it out of the folder, and bwrap 0.12 would refuse to start. */
export async function makeMountPoint(path: string): Promise<void> {
  const status = await lstat(path).catch(ignoring('ENOENT'))
  if (status?.isDirectory() === true) return
  if (status !== undefined) await unlink(path)
  await mkdir(path, {mode: 0o755}).catch(ignoring('EEXIST'))
}
