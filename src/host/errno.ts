import {getSystemErrorMap} from 'node:util'
import {EnvsError, errnoOf} from '../errors.js'

/** Returns whether a system call failed: with one of `names`, or with any errno if none is given. */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
  const errno = errnoOf(error)
  return errno !== undefined && (names.length === 0 || names.includes(errno))
}

/** Errnos of a limit of the account or of the host, in words. */
const LIMITS: Readonly<Record<string, string>> = {
  EAGAIN: 'no more processes and threads (ulimit -u)',
  EMFILE: 'no more open files in one process (ulimit -n)',
  ENFILE: 'no more open files on this host',
  ENOMEM: 'no more memory (ulimit -v)',
}

/** Returns the limit at which a system call failed; undefined for any other error. */
export function limitOf(error: unknown): string | undefined {
  return LIMITS[errnoOf(error) ?? '']
}

/** As {@link limitOf}, for the number of an errno. */
export function limitOfNumber(errno: number): string | undefined {
  return LIMITS[getSystemErrorMap().get(-errno)?.[0] ?? '']
}

/** Errnos of file systems, mount options and permissions, which can occur in any file access. */
const REFUSALS: ReadonlySet<string> = new Set([
  ...['EACCES', 'EPERM', 'EROFS', 'EIO', 'ESTALE', 'ENOKEY'],
  ...['EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ELOOP', 'ENAMETOOLONG', 'EMLINK', 'EFBIG'],
  // Damaged file systems, and disks and file servers that fail.
  ...['EUCLEAN', 'EBADMSG', 'EREMOTEIO', 'ENOMEDIUM', 'ENODEV', 'ENXIO', 'ETIMEDOUT', 'ENOLCK', 'EBUSY'],
  // A program that is running is written to, or a file that is written to is executed.
  'ETXTBSY',
])

/** Returns the errno of a file access that the file system refused; undefined for any other error. */
export function refusalOf(error: unknown): string | undefined {
  const errno = errnoOf(error)
  return errno !== undefined && REFUSALS.has(errno) ? errno : undefined
}

/** Calls by a descriptor, whose errors have no path. */
const DESCRIPTOR_CALLS: ReadonlySet<unknown> = new Set([
  ...['read', 'write', 'fsync', 'fdatasync', 'fstat', 'ftruncate', 'fchmod', 'fchown', 'futime', 'close'],
])

/** Returns whether a call by the descriptor of a file failed, and its error does not name the file. */
export function isNamelessFailure(error: unknown): error is Error {
  if (!(error instanceof Error) || !isErrno(error) || 'path' in error) return false
  return 'syscall' in error && DESCRIPTOR_CALLS.has(error.syscall)
}

/** Returns a handler for `catch` that returns undefined if `isErrno` holds, and rethrows any other error. */
export function ignoring(...names: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!isErrno(error, ...names)) throw error
  }
}

/**
 * Returns the result of synchronous work; undefined if it fails with one of `names`, or with any errno if none is
 * given.
 */
export function unlessErrno<Result>(work: () => Result, ...names: readonly string[]): Result | undefined {
  try {
    return work()
  } catch (error) {
    return ignoring(...names)(error)
  }
}

/** Returns whether an error is a system error or an EnvsError; anything else is a bug. */
export function isFailure(error: unknown): boolean {
  return error instanceof EnvsError || isErrno(error)
}

/** Ignores failures of optional work, such as the removal of leftovers; rethrows bugs. */
export function ignoreFailure(error: unknown): undefined {
  if (!isFailure(error)) throw error
}

/** Returns the text for the number of an errno. */
export function describeErrno(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? `errno ${errno}`
}
