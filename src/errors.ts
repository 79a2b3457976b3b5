import {constants} from 'node:os'
import {getSystemErrorMap} from 'node:util'

/** What the process exits with; docs/exit-codes.md is the table for users. */
export const ExitCode = {
  ok: 0,
  bug: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  network: 5,
  integrity: 6,
  host: 7,
  storage: 8,
  /** `run`, `enter`: envs failed before the guest's command ran, as in env(1) and podman-run(1). */
  guestNotStarted: 125,
} as const

export type ErrorCode = `ENVS_${string}`

type Details = {
  code: ErrorCode
  exitCode: number
  suggestions?: readonly string[]
  cause?: unknown
}

/** A failure the user can act on. Anything else that reaches the top is a bug and prints its stack. */
export abstract class EnvsError extends Error {
  readonly code: ErrorCode
  readonly exitCode: number
  /** The next steps, one command or sentence each; never `sudo`. */
  readonly suggestions: readonly string[]
  /** oclif reads the status here without --json, and from `exitCode` with it (oclif/core#1423). */
  readonly oclif: {exit: number}

  constructor(message: string, {code, exitCode, suggestions = [], cause}: Details) {
    super(message, cause === undefined ? {} : {cause})
    this.name = new.target.name
    this.code = code
    this.exitCode = exitCode
    this.suggestions = suggestions
    this.oclif = {exit: exitCode}
  }
}

/** Arguments that can't mean anything; found after parsing, by a domain room or a command. */
export class UsageError extends EnvsError {
  constructor(message: string, suggestions: readonly string[] = []) {
    super(message, {code: 'ENVS_USAGE', exitCode: ExitCode.usage, suggestions})
  }
}

/** What the system calls an errno: `no space left on device`. @see errno(3) */
export function wordsForErrno(errno: string): string {
  return [...getSystemErrorMap().values()].find(([name]) => name === errno)?.[1] ?? errno
}

/** The code of an error: an errno, or a word of Node, of a library or of envs. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** What an error of Node's may hold; `info` where Node judged itself, as `rm` does of a folder. */
type SystemFailure = {
  readonly code?: unknown
  readonly errno?: unknown
  readonly syscall?: unknown
  readonly info?: SystemFailure
}

/**
 * Returns the errno of a failed system call, or undefined for any other value.
 *
 * The number decides: errors of envs and of Node (`ERR_INVALID_ARG_TYPE`) carry a `code` too, and are no fact of the host.
 */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const failure = error as Error & SystemFailure
  const {code, errno, syscall} = failure.info ?? failure
  if (typeof code !== 'string' || typeof errno !== 'number') return undefined
  const name = getSystemErrorMap().get(-Math.abs(errno))?.[0]
  if (name !== undefined) return name === code ? code : undefined
  // libuv has no names for some, EDQUOT for one.
  return typeof syscall === 'string' ? nameOfErrno(Math.abs(errno)) : undefined
}

function nameOfErrno(number: number): string | undefined {
  return Object.entries(constants.errno).find(([, each]) => each === number)?.[0]
}
