import {opendirSync, readlinkSync} from 'node:fs'
import {isErrno} from '../../host/errno.js'
import {lstatOrNothing, openRootedPaths, PathRefusal, type RootedPaths} from '../tree/paths.js'
import {readBytes, readFirst, withRegularFile} from '../tree/regular-file.js'

export type EntryKind = 'file' | 'folder' | 'link' | 'other' | 'nothing'

/** Read access to a hostile tree for plans; paths are resolved inside it. */
export type TreeView = {
  kindOf(path: string): EntryKind
  /** Returns the bytes of a regular file, at most 1 MiB; undefined for any other entry. */
  read(path: string): Buffer | undefined
  /** Returns a regular file with its permissions; undefined for any other entry, and for more than 1 MiB. */
  readWhole(path: string): {content: Buffer; mode: number} | undefined
  /** Returns the target of a link, as a byte string (latin1); undefined for any other entry. */
  linkTarget(path: string): string | undefined
  /** Returns the real folder of a path, through links; undefined if there is none. */
  realFolder(path: string): string | undefined
  /** Returns the names in a folder, sorted; none for any other entry. */
  list(path: string): string[]
}

/** A thousand times any file that a fix reads. */
const MOST_BYTES = 2 ** 20
/** Ten times any folder that a fix reads. */
const MOST_NAMES = 1000

/** @param options.mostNames - Limit for the names of one folder. */
export function openTreeView(
  root: string,
  {mostNames = MOST_NAMES}: {readonly mostNames?: number} = {},
): TreeView {
  const paths = openRootedPaths(root, (path) => {
    throw new PathRefusal(path, 'it does not exist')
  })
  const placeOf = (path: string, kind: EntryKind): Buffer | undefined =>
    kindAt(paths, path) === kind ? paths.absolute(paths.resolvePlace(path)) : undefined
  return {
    kindOf: (path) => kindAt(paths, path),
    read(path) {
      const place = placeOf(path, 'file')
      return place === undefined ? undefined : readRegularFile(place)
    },
    readWhole(path) {
      const place = placeOf(path, 'file')
      return place === undefined
        ? undefined
        : withRegularFile(place, (fd, {size, mode}) =>
            size > MOST_BYTES ? undefined : {content: readBytes(fd, size), mode: mode & 0o777},
          )
    },
    linkTarget(path) {
      const place = placeOf(path, 'link')
      return place === undefined ? undefined : readlinkSync(place, 'latin1')
    },
    realFolder: (path) => unlessRefused(() => paths.resolveFolder(path)),
    list(path) {
      const place = placeOf(path, 'folder')
      return place === undefined ? [] : namesIn(place, mostNames)
    },
  }
}

function kindAt(paths: RootedPaths, path: string): EntryKind {
  const place = unlessRefused(() => paths.resolvePlace(path))
  const status = place === undefined ? undefined : lstatOrNothing(paths.absolute(place))
  if (status === undefined) return 'nothing'
  if (status.isFile()) return 'file'
  if (status.isDirectory()) return 'folder'
  return status.isSymbolicLink() ? 'link' : 'other'
}

function unlessRefused(resolve: () => string): string | undefined {
  try {
    return resolve()
  } catch (error) {
    if (error instanceof PathRefusal) return undefined
    throw error
  }
}

/** Returns undefined for an unreadable entry or one that is not a regular file; reads at most 1 MiB. */
export function readRegularFile(place: Buffer): Buffer | undefined {
  return readFirst(place, MOST_BYTES)
}

/** Byte strings (latin1), like all paths of a tree. */
function namesIn(folder: Buffer, most: number): string[] {
  const names: string[] = []
  try {
    const entries = opendirSync(folder, {encoding: 'latin1'})
    try {
      for (let entry = entries.readSync(); entry !== null && names.length < most; entry = entries.readSync())
        names.push(entry.name)
    } finally {
      entries.closeSync()
    }
  } catch (error) {
    if (!isErrno(error)) throw error
  }
  return names.sort()
}
