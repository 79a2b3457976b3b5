import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs'
import {errnoOf} from '../../errors.js'
import {PathRefusal} from '../tree/path-refusal.js'
import {lstatOrNothing, openRootedPaths, type RootedPaths} from '../tree/rooted-paths.js'

export type EntryKind = 'file' | 'folder' | 'link' | 'other' | 'nothing'

/** What a plan may ask of a tree nobody trusts; paths are resolved inside it. */
export type TreeView = {
  kindOf(path: string): EntryKind
  /** The bytes of a regular file, at most 1 MiB of them; undefined for anything else. */
  read(path: string): Buffer | undefined
}

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants
/** A thousand times any file a fix looks at. */
const MOST_BYTES = 2 ** 20

export function openTreeView(root: string): TreeView {
  const paths = openRootedPaths(root, (path) => {
    throw new PathRefusal(path, 'it does not exist')
  })
  return {
    kindOf: (path) => kindAt(paths, path),
    read(path) {
      return kindAt(paths, path) === 'file'
        ? readRegularFile(paths.absolute(paths.resolvePlace(path)))
        : undefined
    },
  }
}

function kindAt(paths: RootedPaths, path: string): EntryKind {
  let place: Buffer
  try {
    place = paths.absolute(paths.resolvePlace(path))
  } catch (error) {
    if (error instanceof PathRefusal) return 'nothing'
    throw error
  }
  const status = lstatOrNothing(place)
  if (status === undefined) return 'nothing'
  if (status.isFile()) return 'file'
  if (status.isDirectory()) return 'folder'
  return status.isSymbolicLink() ? 'link' : 'other'
}

/** Undefined for what is not a regular file, or may not be read; never waits, as a FIFO would make it. */
export function readRegularFile(place: Buffer): Buffer | undefined {
  let fd: number
  try {
    fd = openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) !== undefined) return undefined
    throw error
  }
  try {
    if (!fstatSync(fd).isFile()) return undefined
    const content = Buffer.alloc(Math.min(fstatSync(fd).size, MOST_BYTES))
    return content.subarray(0, readSync(fd, content, 0, content.length, 0))
  } finally {
    closeSync(fd)
  }
}
