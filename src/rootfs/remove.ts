import {randomBytes} from 'node:crypto'
import {type Dirent, renameSync, rmdirSync, unlinkSync} from 'node:fs'
import {basename, dirname} from 'node:path'
import {errnoOf} from '../errors.js'
import {isErrno, unlessErrno} from '../host/errno.js'
import {type FolderHandle, openFolder, openTrustedFolder} from './tree/paths.js'

export type RemoveFailure = {readonly path: string; readonly code: string}

export type RemoveReport = {
  /** Removed entries, including the tree's own folder. */
  readonly removed: number
  /** Remaining entries and the reasons, at most 100; paths are escaped if they are not UTF-8. */
  readonly failures: readonly RemoveFailure[]
}

/** Enough to find the cause; a tree on a read-only disk would fail a million times. */
const MOST_FAILURES = 100
/**
 * A folder at this depth is moved up first, so that descriptors and path lengths stay bounded for trees of
 * any depth.
 */
const MOST_LEVELS = 128

type Walk = {
  removed: number
  readonly failures: RemoveFailure[]
  readonly device: number
  readonly onProgress: (removed: number) => void
  readonly top: FolderHandle
  /** Names, in the top folder, of folders that were moved up. */
  readonly movedUp: Buffer[]
}

/**
 * Removes a tree, including folders without write permission and owners of the user namespace of this
 * process.
 *
 * Follows no link and does not enter mounts in the tree. All accesses go through folders held open, so that a
 * process inside can't redirect them by exchanging a folder for a link.
 *
 * @param path - A folder or any other entry; a missing one is not a failure.
 * @param onProgress - Called for every removed folder.
 */
export function removeEntries(path: string, onProgress: (removed: number) => void = () => {}): RemoveReport {
  let parent: FolderHandle
  try {
    parent = openTrustedFolder(dirname(path))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return {removed: 0, failures: []}
    throw error
  }
  try {
    return removeFrom(parent, path, onProgress)
  } finally {
    parent.close()
  }
}

function removeFrom(parent: FolderHandle, path: string, onProgress: (removed: number) => void): RemoveReport {
  const place = parent.entry(Buffer.from(basename(path)))
  let top: FolderHandle
  try {
    top = openFolder(place)
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT') return {removed: 0, failures: []}
    if (code !== 'ENOTDIR' && code !== 'ELOOP')
      return {removed: 0, failures: [{path, code: code ?? 'UNKNOWN'}]}
    unlinkSync(place)
    return {removed: 1, failures: []}
  }
  const walk: Walk = {removed: 0, failures: [], device: top.status.dev, onProgress, top, movedUp: []}
  try {
    attempt(walk, path, () => empty(walk, top, path, 0))
    for (let name = walk.movedUp.pop(); name !== undefined; name = walk.movedUp.pop()) {
      removeFolder(walk, top, name, `${path}/${name.toString()}`, 1)
    }
  } finally {
    top.close()
  }
  attempt(walk, path, () => {
    rmdirSync(place)
    walk.removed++
  })
  return {removed: walk.removed, failures: walk.failures}
}

function empty(walk: Walk, folder: FolderHandle, path: string, level: number): void {
  if ((folder.status.mode & 0o700) !== 0o700) {
    // The mode of another owner's folder can't be changed, which root of its namespace does not need.
    unlessErrno(() => folder.chmod(0o700), 'EPERM')
  }
  for (const entry of folder.list()) {
    const entryPath = `${path}/${entry.name.toString()}`
    if (entry.isDirectory()) removeFolder(walk, folder, entry.name, entryPath, level + 1)
    else removeLeaf(walk, folder, entry, entryPath, level)
  }
  walk.onProgress(walk.removed)
}

function removeLeaf(
  walk: Walk,
  folder: FolderHandle,
  entry: Dirent<Buffer>,
  path: string,
  level: number,
): void {
  attempt(walk, path, () => {
    try {
      unlinkSync(folder.entry(entry.name))
      walk.removed++
    } catch (error) {
      // The file system does not report types, or a folder has just replaced the file.
      if (!isErrno(error, 'EISDIR')) throw error
      removeFolder(walk, folder, entry.name, path, level + 1)
    }
  })
}

function removeFolder(walk: Walk, parent: FolderHandle, name: Buffer, path: string, level: number): void {
  attempt(walk, path, () => {
    const place = parent.entry(name)
    const folder = openFolder(place)
    try {
      if (folder.status.dev !== walk.device) {
        report(walk, path, 'EXDEV')
        return
      }
      if (level > MOST_LEVELS) {
        moveUp(walk, folder, place)
        return
      }
      empty(walk, folder, path, level)
    } finally {
      folder.close()
    }
    if (level <= MOST_LEVELS) {
      rmdirSync(place)
      walk.removed++
    }
  })
}

/** Moves a folder up. Renaming a folder requires write permission on it, because its `..` changes. */
function moveUp(walk: Walk, folder: FolderHandle, place: Buffer): void {
  const name = Buffer.from(`.envs-deep-${randomBytes(8).toString('hex')}`)
  unlessErrno(() => folder.chmod(0o700), 'EPERM')
  renameSync(place, walk.top.entry(name))
  walk.movedUp.push(name)
}

function attempt(walk: Walk, path: string, step: () => void): void {
  try {
    step()
  } catch (error) {
    const code = errnoOf(error)
    if (code === undefined) throw error
    // A folder that is not empty contains an entry that was reported already.
    if (code === 'ENOENT' || (code === 'ENOTEMPTY' && walk.failures.length > 0)) return
    report(walk, path, code)
  }
}

function report(walk: Walk, path: string, code: string): void {
  if (walk.failures.length < MOST_FAILURES) walk.failures.push({path, code})
}
