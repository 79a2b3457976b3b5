import {EnvsError, errnoOf} from '../errors.js'

/** Whether a system call failed: with one of `names`, where some are given. */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
  const errno = errnoOf(error)
  return errno !== undefined && (names.length === 0 || names.includes(errno))
}

/** Makes a handler for `catch` that gives undefined where `isErrno` holds, and throws any other error on. */
export function ignoring(...names: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!isErrno(error, ...names)) throw error
  }
}

/** Returns what synchronous work returns, or undefined where it fails with one of `names`; with any errno, where none is given. */
export function unlessErrno<Result>(work: () => Result, ...names: readonly string[]): Result | undefined {
  try {
    return work()
  } catch (error) {
    return ignoring(...names)(error)
  }
}

/** Whether an error is a fact of the host or a failure a person can act on; anything else is a bug. */
export function isFailure(error: unknown): boolean {
  return error instanceof EnvsError || isErrno(error)
}

/** Handles the errors of work that nothing depends on, such as removing leftovers: bugs alone are thrown on. */
export function ignoreFailure(error: unknown): undefined {
  if (!isFailure(error)) throw error
}
