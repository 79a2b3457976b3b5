import {randomBytes} from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import {errnoOf, wordsForErrno} from '../../errors.js'
import {fixFailedError, storageFullError} from '../errors.js'
import {lstatOrNothing, openRootedPaths, PathRefusal} from '../tree/paths.js'
import type {Edit, Facts} from './fix.js'
import {FIXES} from './index.js'
import {openTreeView, readRegularFile} from './tree-view.js'

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/**
 * Applies edits to the tree and returns whether anything changed.
 *
 * The tree is hostile: entries are replaced by rename and never opened for writing, and links can't lead out
 * of the root.
 *
 * @throws {@link fixFailedError} When the tree holds something that can't be replaced, a full folder for a file.
 * @throws {@link storageFullError}
 */
export function applyEdits(root: string, edits: readonly Edit[]): boolean {
  const paths = openRootedPaths(root, (path) => {
    mkdirSync(paths.absolute(path), 0o755)
    chmodSync(paths.absolute(path), 0o755)
  })
  let changed = false
  for (const edit of edits) {
    try {
      const place = paths.absolute(paths.resolvePlace(edit.path))
      if (isDone(place, edit)) continue
      make(place, edit)
      paths.forgetLink()
      changed = true
    } catch (error) {
      throw explain(error, edit, root)
    }
  }
  return changed
}

function isDone(place: Buffer, edit: Edit): boolean {
  const status = lstatOrNothing(place)
  if (status === undefined) return edit.kind === 'removal'
  switch (edit.kind) {
    case 'file':
      return (
        status.isFile() &&
        (status.mode & 0o7777) === edit.mode &&
        status.size === edit.content.length &&
        readRegularFile(place)?.equals(edit.content) === true
      )
    case 'link':
      return status.isSymbolicLink() && readlinkSync(place, 'utf8') === edit.target
    case 'folder':
      return status.isDirectory()
    case 'removal':
      return false
  }
}

function make(place: Buffer, edit: Edit): void {
  if (edit.kind === 'folder') {
    if (lstatOrNothing(place) !== undefined) unlinkSync(place)
    mkdirSync(place, edit.mode)
    chmodSync(place, edit.mode)
    return
  }
  if (edit.kind === 'removal') {
    unlinkSync(place)
    return
  }
  const fresh = freshPlace(place)
  try {
    if (edit.kind === 'link') symlinkSync(edit.target, fresh)
    else writeFresh(fresh, edit)
    renameSync(fresh, place)
  } catch (error) {
    if (lstatOrNothing(fresh) !== undefined) unlinkSync(fresh)
    throw error
  }
}

/**
 * A fixed name next to the place, so that the next edit replaces the leftover of a killed one; nobody else is
 * in the tree.
 */
function freshPlace(place: Buffer): Buffer {
  const cut = place.lastIndexOf('/') + 1
  const named = (name: Buffer) => Buffer.concat([place.subarray(0, cut), Buffer.from('.envs-'), name])
  const fresh = named(place.subarray(cut))
  const status = lstatOrNothing(fresh)
  if (status?.isDirectory() === true) return named(Buffer.from(randomBytes(8).toString('hex')))
  if (status !== undefined) unlinkSync(fresh)
  return fresh
}

function writeFresh(fresh: Buffer, {content, mode}: Extract<Edit, {kind: 'file'}>): void {
  const fd = openSync(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    writeFileSync(fd, content)
    fchmodSync(fd, mode)
  } finally {
    closeSync(fd)
  }
}

function explain(error: unknown, {path}: Edit, root: string): unknown {
  if (error instanceof PathRefusal) return fixFailedError({path, reason: error.reason}, {cause: error})
  const errno = errnoOf(error)
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return storageFullError({root}, {cause: error})
  return errno === undefined ? error : fixFailedError({path, reason: wordsForErrno(errno)}, {cause: error})
}

/**
 * A file that a fix would write, with its real path: folders on the way resolved through the tree's links.
 */
export type PlannedFile = {
  /** Byte string (latin1), relative to the root. */
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  /** Base64. */
  readonly content: string
  /** Its parent folders, the outermost first, with their permission bits. */
  readonly folders: readonly {readonly path: string; readonly mode: number}[]
}

/** Permissions of a new folder. */
const NEW_FOLDER = 0o755

/**
 * Returns the files that fixes would write to a tree, without writing any: for a layer on top of it.
 *
 * @param only - Names of the fixes.
 */
export function planFiles(root: string, facts: Facts, only: readonly string[]): PlannedFile[] {
  const tree = openTreeView(root)
  const paths = openRootedPaths(root, (path) => {
    throw new PathRefusal(path, 'it does not exist')
  })
  const edits = FIXES.filter(({name}) => only.includes(name)).flatMap((fix) => fix.plan(tree, facts))
  return edits.flatMap((edit) => {
    if (edit.kind !== 'file') return []
    const path = placeOf(edit.path)
    return [{path, mode: edit.mode, content: edit.content.toString('base64'), folders: foldersOf(path)}]
  })

  function placeOf(path: string): string {
    try {
      return paths.resolvePlace(path)
    } catch (error) {
      if (error instanceof PathRefusal) return path
      throw error
    }
  }

  function foldersOf(path: string): PlannedFile['folders'] {
    const parts = path.split('/').slice(0, -1)
    return parts.map((_, index) => {
      const folder = parts.slice(0, index + 1).join('/')
      const status = lstatOrNothing(paths.absolute(folder))
      return {path: folder, mode: status?.isDirectory() ? status.mode & 0o7777 : NEW_FOLDER}
    })
  }
}
