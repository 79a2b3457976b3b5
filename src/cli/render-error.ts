import {EnvsError, type ErrorCode, ExitCode, errnoOf, wordsForErrno} from '../errors.js'
import {packageVersion} from '../host/paths.js'
import {bugError, noSpaceError, quotaUsedError, systemRefusedError} from './errors.js'
import {escapeLines, escapeText, writeError, writeJsonFailure} from './output.js'

/** A failure as the user is told of it, on a terminal or as JSON. */
export type Failure = {
  readonly code: ErrorCode
  readonly message: string
  readonly suggestions: readonly string[]
  readonly exitCode: number
  /** Only for a bug: where it happened. */
  readonly stack?: string
  /** The message of each error behind this one, nearest first. */
  readonly causes: readonly string[]
}

/**
 * Tells of an error, on standard output under `--json` and else on standard error, and sets `process.exitCode`.
 *
 * @param statusOf - What a failure ends the process with, where that is not its own status.
 * @param kept - What an interrupted command leaves to go on from.
 */
export function tellFailure(
  error: unknown,
  {
    json = false,
    verbose,
    statusOf = ({exitCode}) => exitCode,
    kept,
  }: {json?: boolean; verbose: boolean; statusOf?: (failure: Failure) => number; kept?: string | undefined},
): void {
  const told = describeFailure(error)
  const failure = kept === undefined ? told : {...told, suggestions: [...told.suggestions, kept]}
  process.exitCode = statusOf(failure)
  const asText = renderFailure(failure, {verbose, version: versionLine()})
  if (json) writeJsonFailure(failureJson(failure), {asText})
  else writeError(asText)
}

/**
 * The status of a session that failed: 125 tells each failure of ours apart, as env(1) does. A shell's own statuses stay: of a
 * command that can't be executed, that isn't there, or that a signal ended.
 */
export function sessionStatus({exitCode}: {readonly exitCode: number}): number {
  return exitCode === 126 || exitCode === 127 || exitCode > 128 ? exitCode : ExitCode.guestNotStarted
}

/** Tells what the user can meet from what is a bug; any value may have been thrown. */
export function describeFailure(error: unknown): Failure {
  const causes = causesOf(error)
  const told = error instanceof EnvsError ? error : systemFailure(error)
  if (told !== undefined) {
    const {code, message, suggestions, exitCode} = told
    return {code, message, suggestions, exitCode, causes}
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const stack = error instanceof Error ? error.stack : undefined
  return {
    code: 'ENVS_BUG',
    message,
    suggestions: [],
    exitCode: ExitCode.bug,
    causes,
    ...(stack === undefined ? {} : {stack}),
  }
}

/** The failure for standard error: its lines are never wrapped, so that paths and URLs can be copied. */
export function renderFailure(
  failure: Failure,
  {verbose, version}: {verbose: boolean; version: string},
): string {
  // A stack begins with the message.
  const lines = [
    `envs: ${failure.stack === undefined ? escapeText(failure.message) : escapeLines(failure.stack)}`,
  ]
  if (verbose) lines.push(...failure.causes.map((cause) => `  caused by: ${escapeText(cause)}`))
  if (failure.code === 'ENVS_BUG') lines.push([bugError({version}).message, ...bugError.nextSteps].join(' '))
  for (const suggestion of failure.suggestions)
    lines.push(`  ${suggestion.startsWith('envs ') ? 'try: ' : ''}${escapeText(suggestion)}`)
  return `${lines.join('\n')}\n`
}

/** The closed shape of a failure under `--json`. */
export function failureJson({code, message, suggestions}: Failure): {
  error: {code: string; message: string; suggestions: readonly string[]}
} {
  return {error: {code, message, suggestions}}
}

/** What a disk, its mount options and its permissions may answer, wherever envs goes. */
const REFUSALS: ReadonlySet<string> = new Set([
  ...['EACCES', 'EPERM', 'EROFS', 'EIO', 'ESTALE'],
  ...['EEXIST', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'],
])

/** What the system answered, as a user meets it; undefined for a bug, and where no file was refused. */
function systemFailure(error: unknown): EnvsError | undefined {
  const errno = errnoOf(error)
  const path = error instanceof Error && 'path' in error ? String(error.path) : undefined
  if (errno === 'ENOSPC') return noSpaceError({path: path ?? 'envs'})
  if (errno === 'EDQUOT') return quotaUsedError({path: path ?? 'envs'})
  if (errno === undefined || path === undefined || !REFUSALS.has(errno)) return undefined
  return systemRefusedError({path, reason: wordsForErrno(errno)})
}

function causesOf(error: unknown): string[] {
  const causes: string[] = []
  let cause = error instanceof Error ? error.cause : undefined
  while (cause instanceof Error && causes.length < 10) {
    causes.push(cause.message)
    cause = cause.cause
  }
  return causes
}

/** Program, machine and Node, for a report. */
export function versionLine(): string {
  return `envs/${packageVersion()} ${process.platform}-${process.arch} node-${process.version}`
}
