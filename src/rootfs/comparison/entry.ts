import type {Stats} from 'node:fs'

export type EntryKind = 'file' | 'folder' | 'symlink' | 'fifo' | 'socket' | 'device'

/** A file of a tree at one of two points. */
export type Entry = {
  readonly kind: EntryKind
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Size of a regular file without holes; 0 for other kinds. */
  readonly sizeBytes: number
  /** Of a link: a byte string (latin1). */
  readonly target?: string
  /** Value of security.capability, in hexadecimal. */
  readonly capability?: string
  /** Of a device node; see stat(2), st_rdev. */
  readonly device?: number
  /** The same for all names of a file with several hard links. */
  readonly inode?: string
}

export type Aspect = 'kind' | 'content' | 'target' | 'mode' | 'owner' | 'capability'

/** Unit of st_blocks, for every file system. @see stat(2) */
const BLOCK_BYTES = 512

function kindOf(status: Stats): EntryKind {
  if (status.isFile()) return 'file'
  if (status.isDirectory()) return 'folder'
  if (status.isSymbolicLink()) return 'symlink'
  if (status.isFIFO()) return 'fifo'
  return status.isSocket() ? 'socket' : 'device'
}

/** @param details - Properties that lstat(2) does not return. */
export function entryOf(status: Stats, details: Pick<Entry, 'target' | 'capability'>): Entry {
  const kind = kindOf(status)
  return {
    kind,
    mode: status.mode & 0o7777,
    uid: status.uid,
    gid: status.gid,
    sizeBytes: kind === 'file' ? Math.min(status.size, status.blocks * BLOCK_BYTES) : 0,
    ...(kind === 'file' && status.nlink > 1 ? {inode: `${status.dev}:${status.ino}`} : {}),
    ...(kind === 'device' ? {device: status.rdev} : {}),
    ...details,
  }
}

/**
 * Returns the differences of two entries, except for the content of regular files.
 *
 * @param ownersCount - Whether owners are comparable between both points.
 */
export function aspectsOf(before: Entry, after: Entry, {ownersCount}: {ownersCount: boolean}): Aspect[] {
  if (before.kind !== after.kind) return ['kind']
  const aspects: Aspect[] = []
  if (before.target !== after.target) aspects.push('target')
  if (before.device !== after.device) aspects.push('content')
  // The mode of a link has no meaning. @see symlink(7)
  if (before.mode !== after.mode && after.kind !== 'symlink') aspects.push('mode')
  if (ownersCount && (before.uid !== after.uid || before.gid !== after.gid)) aspects.push('owner')
  if (before.capability !== after.capability) aspects.push('capability')
  return aspects
}
