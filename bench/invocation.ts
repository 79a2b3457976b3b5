import {closeSync, openSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {ended, start} from '../src/host/process.js'

/** One program to run to its end. */
export type Invocation = {
  readonly argv: readonly string[]
  /** File on standard input; nothing when left out. */
  readonly input?: string
  /** Variables beside those of the bench. */
  readonly variables?: Readonly<Record<string, string>>
}

/** Where and with which variables every program of a benchmark runs. */
export type Bench = {
  /** A folder of this run's own, which goes with it. */
  readonly folder: string
  /** All that programs see, so that nobody's shell settings are measured. */
  readonly environment: Readonly<Record<string, string>>
}

/** A program that ended with another status than 0. */
export class InvocationFailedError extends Error {
  constructor(
    argv: readonly string[],
    readonly status: number,
    complaint: string,
  ) {
    const why = complaint === '' ? '' : `: ${complaint}`
    super(`${argv.join(' ')} ended with status ${status}${why}`)
    this.name = new.target.name
  }
}

/**
 * Runs a program to its end.
 *
 * @returns Milliseconds from before its fork until it has been waited for.
 * @throws {InvocationFailedError}
 */
export async function time(
  {argv, input = '/dev/null', variables = {}}: Invocation,
  bench: Bench,
): Promise<number> {
  const complaints = join(bench.folder, 'stderr')
  const [stdin, stderr] = [openSync(input, 'r'), openSync(complaints, 'w')]
  try {
    const before = performance.now()
    const child = start(argv, {
      cwd: bench.folder,
      env: {...bench.environment, ...variables},
      stdio: [stdin, 'ignore', stderr],
    })
    const {status} = await ended(child)
    const elapsedMs = performance.now() - before
    if (status !== 0) throw new InvocationFailedError(argv, status, lastLine(complaints))
    return elapsedMs
  } finally {
    closeSync(stdin)
    closeSync(stderr)
  }
}

function lastLine(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? ''
}
