import {chmod, lstat, mkdir, unlink} from 'node:fs/promises'
import {join} from 'node:path'
import {ignoreFailure, ignoring} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import {type Paths, sharedPackages} from '../host/paths.js'
import {PACKAGES_MOUNT_POINT} from '../sandbox/mounts.js'
import type {SandboxFeature} from './feature.js'

/** Of the folder that is bound at the guest's /run/envs. */
const MOUNT_POINT = 'packages'

/** All environments of a user share the packages that APT has fetched. An environment does without where that can't be had. */
export const packageCache: SandboxFeature = {
  id: 'package-cache',
  engines: ['bwrap', 'unshare', 'proot'],
  async apply(spec, {host, environment, isPreview}) {
    const from = isPreview
      ? sharedPackages(host.paths)
      : await preparePackages(host.paths, environment.files.resolver)
    if (from === undefined) return spec
    // Skipped where the folder has just been removed: nothing depends on it.
    const mount = {kind: 'bind', from, at: PACKAGES_MOUNT_POINT, access: 'rw', ifMissing: 'skip'} as const
    return {...spec, mounts: [...spec.mounts, mount]}
  },
}

/**
 * Makes the folder of shared packages, and the place where an environment at rest has it mounted.
 *
 * @param resolverFolder - The environment's, which its guest's root could write to.
 * @returns The folder; undefined where the environment has to do without.
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

/** A link would lead an older bwrap elsewhere, and bwrap 0.12 would not start for it. */
async function makeMountPoint(path: string): Promise<void> {
  const status = await lstat(path).catch(ignoring('ENOENT'))
  if (status?.isDirectory() === true) return
  if (status !== undefined) await unlink(path)
  await mkdir(path, {mode: 0o755}).catch(ignoring('EEXIST'))
}
