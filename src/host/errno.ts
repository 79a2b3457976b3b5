import {EnvsError, errnoOf} from '../errors.js'

/** Whether an error is a fact of the host or a failure a person can act on; anything else is a bug. */
export function isFailure(error: unknown): boolean {
  return error instanceof EnvsError || errnoOf(error) !== undefined
}

/** Handles the errors of work that nothing depends on, such as removing leftovers: bugs alone are thrown on. */
export function ignoreFailure(error: unknown): undefined {
  if (!isFailure(error)) throw error
}
