import {lstatSync} from 'node:fs'
import {copyFile, realpath} from 'node:fs/promises'
import {join} from 'node:path'
import {unlessErrno} from '../host/errno.js'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {capture} from '../host/process.js'
import {SHELL_MOUNT_POINT} from '../sandbox/mounts.js'
import {treeFolders} from '../store/mounted-tree.js'
import type {SandboxFeature} from './feature.js'
import {makeMountPoint} from './package-cache.js'

/** The places of a shell in a guest; often a symlink. */
const SHELLS = ['bin/sh', 'usr/bin/sh']

/**
 * Lends a guest without a shell, such as a distroless image, a read-only copy of the host's: a script holds the environment while
 * sessions come and go. Sessions do not use it.
 */
export const borrowedShell: SandboxFeature = {
  id: 'borrowed-shell',
  // With proot, the session itself is a script of the guest's shell.
  engines: ['bwrap', 'unshare'],
  async apply(spec, {host, tree, environment, isPreview}) {
    // Any other environment has lost its shell, which is an error.
    if (environment.record.image.container === undefined) return spec
    const folders = treeFolders(host.paths, tree)
    if (SHELLS.some((path) => folders.some((folder) => isThere(join(folder, path))))) return spec
    const from = join(environment.files.run, 'shell')
    const shell = await shellOf(host)
    if (shell === undefined) return spec
    if (!isPreview) {
      await makeFolders(from, {mode: 0o755})
      await makeMountPoint(join(environment.files.resolver, 'shell'))
      for (const [name, path] of shell.files) await copyFile(path, join(from, name))
    }
    const mount = {kind: 'bind', from, at: SHELL_MOUNT_POINT, access: 'ro'} as const
    return {...spec, mounts: [...spec.mounts, mount], shell: shell.words}
  },
}

function isThere(path: string): boolean {
  return unlessErrno(() => lstatSync(path, {throwIfNoEntry: false})) !== undefined
}

type HostShell = {
  /** Paths on the host, by the name in the guest's folder. */
  readonly files: readonly (readonly [name: string, path: string])[]
  readonly words: readonly string[]
}

/** Returns the host's shell with its libraries, as ldd(1) lists them; undefined where that fails. */
async function shellOf({which}: Pick<Host, 'which'>): Promise<HostShell | undefined> {
  const [sh, ldd] = [which('sh'), which('ldd')]
  if (sh === undefined || ldd === undefined) return undefined
  const program = await realpath(sh)
  const {status, stdout} = await capture([ldd, program], {timeout: 10_000})
  if (status !== 0) return {files: [['sh', program]], words: [`${SHELL_MOUNT_POINT}/sh`]}
  const libraries = [...stdout.matchAll(/^\s*(?<name>[^\s/]+) => (?<path>\/\S+) \(/gm)].map(
    ({groups = {}}) => [groups['name'] ?? '', groups['path'] ?? ''] as const,
  )
  const loader = /^\s*(?:\S+ => )?(?<path>\/\S*\/ld[^/\s]*) \(/m.exec(stdout)?.groups?.['path']
  if (loader === undefined) return undefined
  return {
    files: [['sh', program], ['loader', loader], ...libraries],
    words: [`${SHELL_MOUNT_POINT}/loader`, '--library-path', SHELL_MOUNT_POINT, `${SHELL_MOUNT_POINT}/sh`],
  }
}
