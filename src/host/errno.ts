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
