import {copyFile, realpath} from 'node:fs/promises'
import {join} from 'node:path'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {capture} from '../host/process.js'
import {SHELL_MOUNT_POINT} from '../sandbox/mounts.js'

export type HostShell = {
  /** Paths on the host, by the name in the guest's folder. */
  readonly files: readonly (readonly [name: string, path: string])[]
  readonly words: readonly string[]
}

/** Returns the host's shell with its libraries, as ldd(1) lists them; undefined where that fails. */
export async function shellOf({which}: Pick<Host, 'which'>): Promise<HostShell | undefined> {
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

/** Copies the files of the shell into `folder`. */
export async function copyShell({files}: HostShell, folder: string): Promise<void> {
  await makeFolders(folder, {mode: 0o755})
  for (const [name, path] of files) await copyFile(path, join(folder, name))
}
