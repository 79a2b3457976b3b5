import {readFile} from 'node:fs/promises'
import {ExitCode} from '../src/errors.js'
import {capture} from '../src/host/process.js'

/** A program that builds a host ended with another status than 0. */
export class ProgramFailedError extends Error {
  readonly exitCode = ExitCode.host

  constructor(argv: readonly string[], status: number, output: string) {
    super(`${argv[0]} ended with status ${status}:\n${output.trim().split('\n').slice(-20).join('\n')}`)
    this.name = 'ProgramFailedError'
  }
}

/** Runs a program to its end. @returns Standard output. @throws {ProgramFailedError} */
export async function runProgram(
  argv: readonly string[],
  options: {readonly cwd?: string; readonly signal: AbortSignal},
): Promise<string> {
  const {status, stdout, stderr} = await capture(argv, options)
  options.signal.throwIfAborted()
  if (status !== 0) throw new ProgramFailedError(argv, status, stderr === '' ? stdout : stderr)
  return stdout
}

/** Processor time of the children of this process that have ended: the same on a machine that does other work too. */
export async function childSeconds(): Promise<number> {
  return childSecondsOf(await readFile('/proc/self/stat', 'utf8'))
}

/** `USER_HZ`: 100 wherever Node.js runs. */
const TICKS_PER_SECOND = 100

/** @param stat - Of proc_pid_stat(5), the fields 16 and 17; the name in parentheses may have blanks. */
export function childSecondsOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND
}
