import {randomBytes} from 'node:crypto'
import {lstatSync, readdirSync, renameSync, rmdirSync} from 'node:fs'
import {join} from 'node:path'
import type {FolderMetadata} from './metadata.js'

/** Files next to the layers: in the OCI image layout, and in the format of `docker save`. */
const LAYER_MARKS = ['oci-layout', 'manifest.json']

/**
 * Returns whether a tree contains the layers of a container image, each in its own archive, rather than a
 * root file system.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export function holdsContainerImage(root: string): boolean {
  const names = new Set(readdirSync(root))
  return LAYER_MARKS.some((name) => names.has(name)) && !ROOT_MARKS.some((name) => names.has(name))
}

/** A folder that contains one of these is a root, unless it has such a name itself: usr contains bin. */
const ROOT_MARKS = ['usr', 'etc', 'bin']

/**
 * Moves the contents of a single top folder (`rootfs/…`) to the root. To be called before folders get their
 * modes: renaming a folder requires write permission on it.
 *
 * @param folders - Metadata by path; updated.
 * @returns Its name, a byte string; undefined if there is none.
 * @throws {NodeJS.ErrnoException}
 */
export function unwrapRoot(root: string, folders: Map<string, FolderMetadata>): string | undefined {
  const wrapper = findWrapper(root)
  if (wrapper === undefined) return undefined
  // Under another name, because the wrapper may contain an entry of the same name.
  const aside = join(root, `.envs-wrapper-${randomBytes(4).toString('hex')}`)
  renameSync(Buffer.concat([Buffer.from(`${root}/`), wrapper]), aside)
  for (const name of readdirSync(aside, 'buffer')) {
    renameSync(
      Buffer.concat([Buffer.from(`${aside}/`), name]),
      Buffer.concat([Buffer.from(`${root}/`), name]),
    )
  }
  rmdirSync(aside)
  const name = wrapper.toString('latin1')
  rebase(folders, name)
  return name
}

function findWrapper(root: string): Buffer | undefined {
  const [only, ...others] = readdirSync(root, 'buffer')
  if (only === undefined || others.length > 0 || ROOT_MARKS.includes(only.toString())) return undefined
  const path = Buffer.concat([Buffer.from(`${root}/`), only])
  if (!lstatSync(path).isDirectory()) return undefined
  return readdirSync(path).some((name) => ROOT_MARKS.includes(name)) ? only : undefined
}

function rebase(folders: Map<string, FolderMetadata>, wrapper: string): void {
  const moved = [...folders].filter(([path]) => path !== '')
  folders.clear()
  for (const [path, metadata] of moved) folders.set(path.slice(wrapper.length + 1), metadata)
}
