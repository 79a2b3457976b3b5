import {createHash} from 'node:crypto'
import type {Stats} from 'node:fs'
import {fillFrom, withRegularFile} from '../tree/regular-file.js'

const CHUNK_BYTES = 256 * 1024
/** Larger files differ if their times do: comparing a terabyte of holes would take too long. */
const MOST_COMPARED_BYTES = 4 * 2 ** 30

type Place = Buffer | string

/** Returns the MD5 of a regular file, as dpkg records it; undefined for one over `maxBytes`. */
export function md5Of(place: Place, maxBytes: number): string | undefined {
  return withRegularFile(place, (fd, {size}) => {
    if (size > maxBytes) return undefined
    const hash = createHash('md5')
    const chunk = Buffer.alloc(CHUNK_BYTES)
    for (let at = 0, got = 1; got > 0 && at <= maxBytes; at += got) {
      got = fillFrom(fd, chunk, at)
      hash.update(chunk.subarray(0, got))
    }
    return hash.digest('hex')
  })
}

/** Returns whether two regular files have the same bytes; false if one is unreadable. */
export function haveSameContent(before: Place, after: Place): boolean {
  const same = withRegularFile(before, (beforeFd, old) =>
    withRegularFile(after, (afterFd, {size, dev, ino, mtimeMs}) => {
      if (old.size !== size) return false
      if (old.dev === dev && old.ino === ino) return true
      if (size > MOST_COMPARED_BYTES) return old.mtimeMs === mtimeMs
      return haveSameBytes(beforeFd, afterFd, size)
    }),
  )
  return same ?? false
}

function haveSameBytes(beforeFd: number, afterFd: number, size: number): boolean {
  const [before, after] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)]
  // Reads the size at the beginning: a writer must not keep this loop running.
  for (let at = 0; at < size; at += CHUNK_BYTES) {
    const [got, other] = [fillFrom(beforeFd, before, at), fillFrom(afterFd, after, at)]
    if (got !== other || !before.subarray(0, got).equals(after.subarray(0, got))) return false
    if (got < CHUNK_BYTES) break
  }
  return true
}

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
