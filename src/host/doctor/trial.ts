import {errnoOf} from '../../errors.js'
import {type Captured, capture} from '../process.js'

/** A working program answers within milliseconds; the doctor must not wait for one that hangs. */
const TIMEOUT_MS = 5000

/** A shell's status for a program that exists but can't be executed. @see POSIX, 2.8.2 */
const NOT_EXECUTABLE = 126

/** Runs a program in a trial; failing to start it is a result, not an error. */
export async function runTrial(argv: readonly string[]): Promise<Captured> {
  try {
    return await capture(argv, {timeout: TIMEOUT_MS})
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return {status: NOT_EXECUTABLE, signal: null, stdout: '', stderr: errno}
  }
}
