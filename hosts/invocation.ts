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
