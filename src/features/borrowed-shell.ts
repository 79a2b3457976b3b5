import {lstatSync} from 'node:fs'
import {join} from 'node:path'
import {unlessErrno} from '../host/errno.js'
import {SHELL_MOUNT_POINT} from '../sandbox/mounts.js'
import {treeFolders} from '../store/mounted-tree.js'
import type {SandboxFeature} from './feature.js'
import {makeMountPoint} from './package-cache.js'

/** The places of a shell in a guest; often a symlink. */
const SHELLS = ['bin/sh', 'usr/bin/sh']

/**
 * Lends a guest without a shell, such as a distroless image, a copy of the host's: a script holds the environment while sessions
 * come and go, and with proot starts each of them. Commands of the user do not get it.
 */
export const borrowedShell: SandboxFeature = {
  id: 'borrowed-shell',
  engines: ['bwrap', 'unshare', 'proot'],
  async apply(spec, {host, tree, environment, isPreview}) {
    // Any other environment has lost its shell, which is an error.
    if (environment.record.image.container === undefined) return spec
    const folders = treeFolders(host.paths, tree)
    if (SHELLS.some((path) => folders.some((folder) => isThere(join(folder, path))))) return spec
    const from = join(environment.files.run, 'shell')
    // Few environments need it.
    const {copyShell, shellOf} = await import('./host-shell.js')
    const shell = await shellOf(host)
    if (shell === undefined) return spec
    if (!isPreview) {
      await makeMountPoint(join(environment.files.resolver, 'shell'))
      await copyShell(shell, from)
    }
    const mount = {kind: 'bind', from, at: SHELL_MOUNT_POINT, access: 'ro'} as const
    return {...spec, mounts: [...spec.mounts, mount], shell: shell.words}
  },
}

function isThere(path: string): boolean {
  return unlessErrno(() => lstatSync(path, {throwIfNoEntry: false})) !== undefined
}
