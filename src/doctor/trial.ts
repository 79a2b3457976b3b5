import {readFile} from 'node:fs/promises'
import {errnoOf} from '../errors.js'
import {type Captured, capture} from '../host/process.js'

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

/** Returns the value of a kernel setting, or undefined if the kernel lacks it or it is unreadable. */
export async function readKernelSetting(path: string): Promise<string | undefined> {
  return (await readFile(path, 'utf8').catch(() => undefined))?.trim()
}

/** Returns commands that set a kernel setting now and at each boot. @see sysctl.d(5) */
export function settingSteps(name: string, value: string): string[] {
  return [
    `echo '${name} = ${value}' >/etc/sysctl.d/60-envs-${name.replace(/^.*\./, '')}.conf`,
    'sysctl --system',
  ]
}
