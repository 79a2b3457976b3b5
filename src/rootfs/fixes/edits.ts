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
import {errnoOf} from '../../errors.js'
import {fixFailedError, storageFullError} from '../errors.js'
import {PathRefusal} from '../tree/path-refusal.js'
import {lstatOrNothing, openRootedPaths} from '../tree/rooted-paths.js'
import type {Edit} from './fix.js'
import {readRegularFile} from './tree-view.js'

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
  return errno === undefined ? error : fixFailedError({path, reason: errno}, {cause: error})
}
