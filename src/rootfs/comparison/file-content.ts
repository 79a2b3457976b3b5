import {createHash} from 'node:crypto'
import {closeSync, constants, fstatSync, openSync, readSync, type Stats} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants
const CHUNK_BYTES = 256 * 1024
/** Larger files differ if their times do: comparing a terabyte of holes would take too long. */
const MOST_COMPARED_BYTES = 4 * 2 ** 30

type Place = Buffer | string

/**
 * Calls `use` with a regular file that is open for reading; returns undefined if it is missing or unreadable.
 */
function withFile<T>(place: Place, use: (fd: number, status: Stats) => T): T | undefined {
  // Non-blocking: a FIFO in its place would block this process for ever.
  const fd = unlessErrno(() => openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  if (fd === undefined) return undefined
  try {
    const status = fstatSync(fd)
    return status.isFile() ? use(fd, status) : undefined
  } finally {
    closeSync(fd)
  }
}

/** Returns the first bytes of a regular file. */
export function readFirst(place: Place, maxBytes: number): Buffer | undefined {
  return withFile(place, (fd, {size}) => {
    const bytes = Buffer.alloc(Math.min(size, maxBytes))
    return bytes.subarray(0, fill(fd, bytes, 0))
  })
}

/** Returns the MD5 of a regular file, as dpkg records it; undefined for one over `maxBytes`. */
export function md5Of(place: Place, maxBytes: number): string | undefined {
  return withFile(place, (fd, {size}) => {
    if (size > maxBytes) return undefined
    const hash = createHash('md5')
    const chunk = Buffer.alloc(CHUNK_BYTES)
    for (let at = 0, got = 1; got > 0 && at <= maxBytes; at += got) {
      got = fill(fd, chunk, at)
      hash.update(chunk.subarray(0, got))
    }
    return hash.digest('hex')
  })
}

/** Returns whether two regular files have the same bytes; false if one is unreadable. */
export function haveSameContent(before: Place, after: Place): boolean {
  const same = withFile(before, (beforeFd, old) =>
    withFile(after, (afterFd, {size, dev, ino, mtimeMs}) => {
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
    const [got, other] = [fill(beforeFd, before, at), fill(afterFd, after, at)]
    if (got !== other || !before.subarray(0, got).equals(after.subarray(0, got))) return false
    if (got < CHUNK_BYTES) break
  }
  return true
}

/** Reads bytes at a position of the file, up to its end. */
function fill(fd: number, bytes: Buffer, position: number): number {
  let read = 0
  for (let got = 1; got > 0 && read < bytes.length; read += got) {
    got = readSync(fd, bytes, read, bytes.length - read, position + read)
  }
  return read
}
