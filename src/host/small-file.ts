import {closeSync, constants, fstatSync, openSync, readFileSync} from 'node:fs'
import {constants as system} from 'node:os'

/** Far more than any reader takes, and far less than what fills the memory. */
const MOST_BYTES = 64 * 2 ** 20

/** Another thing than a file of some kilobytes is in its place; told as the system tells of a file that is too large. */
class NotSmallFileError extends Error {
  readonly code = 'EFBIG'
  readonly errno = -system.errno.EFBIG
}

/**
 * Reads a file of some kilobytes as text. A FIFO in its place does not hold this process, nor does a huge file fill it.
 *
 * Synchronous: by way of another thread it costs several times as much, and there are commands that read hundreds.
 *
 * @throws {NodeJS.ErrnoException}
 */
export function readSmallFile(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const status = fstatSync(fd)
    if ((!status.isFile() && !status.isDirectory()) || status.size > MOST_BYTES)
      throw new NotSmallFileError(`${path} is not a small file`)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}
