import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs'
import {isErrno} from '../../host/errno.js'
import {type FolderHandle, openFolder} from '../tree/folder-handle.js'

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/**
 * Reads the first bytes of a regular file of a tree that may be in use. Holds each folder open before the
 * next step and follows no link, so that the guest can't lead the path out of the tree.
 *
 * @param root - The tree's own folder.
 * @param path - Folders and name, one component each.
 * @returns Undefined if there is no such file, or it is unreadable.
 */
export function readGuestFile(
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
