import {closeSync, openSync} from 'node:fs'
import {chown, mkdir} from 'node:fs/promises'
import {capture, ended, readErrorOutput, start} from '../src/host/process.js'

/** One program to run to its end. */
export type Invocation = {
  readonly argv: readonly string[]
  /** File on standard input; nothing when left out. */
  readonly input?: string
  /** Variables in addition to those of the bench. */
  readonly variables?: Readonly<Record<string, string>>
  /** Runs it as the user who runs the bench, even if {@link Bench.user} is another one. */
  readonly asCaller?: boolean
}

/** The folder, variables and user of every program of a benchmark. */
export type Bench = {
  /** A folder of this run, removed at its end. */
  readonly folder: string
  /** The complete environment, so that the user's shell settings have no effect. */
  readonly environment: Readonly<Record<string, string>>
  /** The user of the programs, if it is not the caller: without supplementary groups. */
  readonly user?: {readonly uid: number; readonly gid: number}
}

/** A program that ended with another status than 0. */
export class InvocationFailedError extends Error {
  constructor(
    argv: readonly string[],
    readonly status: number,
    readonly complaint: string,
  ) {
    const why = complaint === '' ? '' : `: ${complaint}`
    super(`${argv.join(' ')} ended with status ${status}${why}`)
    this.name = new.target.name
  }
}

/**
 * Runs a program to its end.
 *
 * @param onStart - Called at once with the id of its process.
 * @returns Milliseconds from before its fork until it was waited for.
 * @throws {InvocationFailedError}
 */
export async function time(
  {argv, input = '/dev/null', variables = {}, asCaller = false}: Invocation,
  bench: Bench,
  onStart?: (pid: number) => void,
): Promise<number> {
  const stdin = openSync(input, 'r')
  try {
    const before = performance.now()
    const child = start(argv, {
      cwd: bench.folder,
      env: {...bench.environment, ...variables},
      ...(asCaller ? {} : bench.user),
      // A pipe: a session passes one on as it is, and a file costs a process more (docs/decisions/0036-streams-carry-no-rights.md).
      stdio: [stdin, 'ignore', 'pipe'],
    })
    if (child.pid !== undefined) onStart?.(child.pid)
    const [{status}, complaint] = await Promise.all([ended(child), readErrorOutput(child)])
    const elapsedMs = performance.now() - before
    if (status !== 0) throw new InvocationFailedError(argv, status, lastLine(complaint))
    return elapsedMs
  } finally {
    closeSync(stdin)
  }
}

/** Makes a folder in which the programs of the bench can write. */
export async function makeFolder(path: string, {user}: Bench): Promise<void> {
  await mkdir(path)
  if (user !== undefined) await chown(path, user.uid, user.gid)
}

/** Runs a program as the user who runs the bench, untimed. @throws {InvocationFailedError} */
export async function runAsCaller(argv: readonly string[], {environment}: Bench): Promise<void> {
  const {status, stderr} = await capture(argv, {env: environment})
  if (status !== 0) throw new InvocationFailedError(argv, status, stderr.trim())
}

/**
 * Runs a program as a contender, untimed.
 *
 * @returns Standard output.
 * @throws {InvocationFailedError}
 */
export async function runAsUser(argv: readonly string[], bench: Bench): Promise<string> {
  const options = {cwd: bench.folder, env: bench.environment, ...bench.user}
  const {status, stdout, stderr} = await capture(argv, options)
  if (status !== 0) throw new InvocationFailedError(argv, status, stderr.trim())
  return stdout
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}
