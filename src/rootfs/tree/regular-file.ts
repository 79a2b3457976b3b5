import {closeSync, constants, fstatSync, openSync, readSync, type Stats} from 'node:fs'
import {unlessErrno} from '../../host/errno.js'

const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/**
 * Calls `use` with a regular file that is open for reading; returns undefined if it is missing or unreadable.
 */
export function withRegularFile<T>(
  place: Buffer | string,
  use: (fd: number, status: Stats) => T,
): T | undefined {
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

/** Returns the first bytes of a regular file; undefined for any other entry. */
export function readFirst(place: Buffer | string, maxBytes: number): Buffer | undefined {
  return withRegularFile(place, (fd, {size}) => readBytes(fd, Math.min(size, maxBytes)))
}

export function readBytes(fd: number, bytes: number): Buffer {
  const content = Buffer.alloc(bytes)
  return content.subarray(0, fillFrom(fd, content, 0))
}

/** Reads bytes at a position of the file, up to its end. */
export function fillFrom(fd: number, bytes: Buffer, position: number): number {
  let read = 0
  for (let got = 1; got > 0 && read < bytes.length; read += got) {
    got = readSync(fd, bytes, read, bytes.length - read, position + read)
  }
  return read
}
