import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs'
import {type PresentPackage, parseDpkgStatus} from '../apt/format/control.js'
import {isErrno} from '../host/errno.js'
import {type FolderHandle, openFolder} from './tree/paths.js'

/** A package in dpkg's list. The guest writes that list: do not trust it. */
export type InstalledPackage = Pick<PresentPackage, 'name' | 'version'>

/** A desktop of 4,000 packages has 8 MB. */
export const MOST_STATUS_BYTES = 16 * 2 ** 20

/**
 * Returns the installed packages of a tree, in dpkg's order; a package of several architectures occurs once.
 *
 * @returns Undefined if dpkg has no list.
 */
export function readInstalledPackages(root: string): InstalledPackage[] | undefined {
  const status = readGuestFile(root, ['var', 'lib', 'dpkg', 'status'], {maxBytes: MOST_STATUS_BYTES})
  return status === undefined ? undefined : installedIn(parseDpkgStatus(status.toString('latin1')))
}

/** @see dpkg(1), "Package states" */
export function installedIn(packages: ReadonlyMap<string, PresentPackage>): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>()
  for (const {name, version, state} of packages.values())
    if (state === 'installed' && !found.has(name)) found.set(name, {name, version})
  return [...found.values()]
}

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/**
 * Reads the first bytes of a regular file of a tree that may be in use. Holds each folder open before the
 * next step and follows no link, so that the guest can't lead the path out of the tree.
 *
 * @param root - The tree's own folder.
 * @param path - Folders and name, one component each.
 * @returns Undefined if there is no such file, or it is unreadable.
 */
function readGuestFile(
  root: string,
  path: readonly string[],
  {maxBytes}: {maxBytes: number},
): Buffer | undefined {
  const folders: FolderHandle[] = []
  try {
    let place: Buffer | string = root
    for (const component of path) {
      const folder = openFolder(place)
      folders.push(folder)
      place = folder.entry(Buffer.from(component))
    }
    return readRegular(place, maxBytes)
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  } finally {
    for (const folder of folders) folder.close()
  }
}

function readRegular(place: Buffer | string, maxBytes: number): Buffer | undefined {
  // Non-blocking: a FIFO in its place would block this process for ever.
  const fd = openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const status = fstatSync(fd)
    if (!status.isFile()) return undefined
    const bytes = Buffer.alloc(Math.min(status.size, maxBytes))
    let read = 0
    for (let got = 1; got > 0 && read < bytes.length; read += got) {
      got = readSync(fd, bytes, read, bytes.length - read, read)
    }
    return bytes.subarray(0, read)
  } finally {
    closeSync(fd)
  }
}
