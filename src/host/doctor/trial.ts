import {errnoOf} from '../../errors.js'
import {type Captured, capture} from '../process.js'

/** A working program answers within milliseconds; a doctor must not wait for one that hangs. */
const TIMEOUT_MS = 5000

/** What a shell answers for a program that is there but can't be executed. @see POSIX, 2.8.2 */
const NOT_EXECUTABLE = 126

/** Runs a program to see whether it works; one that can't be started is a result too, not an error. */
export async function runTrial(argv: readonly string[]): Promise<Captured> {
  try {
    return await capture(argv, {timeout: TIMEOUT_MS})
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return {status: NOT_EXECUTABLE, signal: null, stdout: '', stderr: errno}
  }
}
