import {EnvsError, type ErrorCode, ExitCode, errnoOf, wordsForErrno} from '../errors.js'
import {isNamelessFailure, limitOf, refusalOf} from '../host/errno.js'
import {limitReachedError} from '../host/errors.js'
import {packageVersion} from '../host/paths.js'
import {
  bugError,
  fileFailedError,
  noSpaceError,
  programNotStartedError,
  quotaUsedError,
  systemRefusedError,
} from './errors.js'
import {escapeLines, escapeText, writeError, writeJsonFailure} from './output.js'

/** A failure as it is reported, on a terminal or as JSON. */
export type Failure = {
  readonly code: ErrorCode
  readonly message: string
  readonly suggestions: readonly string[]
  readonly exitCode: number
  /** The stack, only for a bug. */
  readonly stack?: string
  /** The message of each error behind this one, nearest first. */
  readonly causes: readonly string[]
}

/**
 * Reports an error, on standard output under `--json`, else on standard error, and sets `process.exitCode`.
 *
 * @param statusOf - Returns the exit status of a failure, if it is not the failure's own.
 * @param resumable - Text about progress that an interrupted command leaves to resume from.
 */
export function reportFailure(
  error: unknown,
  {
    json = false,
    verbose,
    statusOf = ({exitCode}) => exitCode,
    resumable,
  }: {
    json?: boolean
    verbose: boolean
    statusOf?: (failure: Failure) => number
    resumable?: string | undefined
  },
): void {
  const known = describeFailure(error)
  const failure = resumable === undefined ? known : {...known, suggestions: [...known.suggestions, resumable]}
  process.exitCode = statusOf(failure)
  const asText = renderFailure(failure, {verbose, version: versionLine()})
  if (json) writeJsonFailure(failureJson(failure), {asText})
  else writeError(asText)
}

/**
 * Returns the exit status of a failed session: 125 for a failure of envs, as in env(1). The statuses of a shell
 * stay: for a command that cannot be executed, is missing, or was ended by a signal.
 */
export function sessionStatus({exitCode}: {readonly exitCode: number}): number {
  return exitCode === 126 || exitCode === 127 || exitCode > 128 ? exitCode : ExitCode.guestNotStarted
}

/** Returns the failure for any thrown value: an error for the user, or a bug. */
export function describeFailure(error: unknown): Failure {
  const causes = causesOf(error)
  const known = error instanceof EnvsError ? error : systemFailure(error)
  if (known !== undefined) {
    const {code, message, suggestions, exitCode} = known
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

/** Returns the text of a failure for standard error. Lines are never wrapped, so that paths and URLs can be copied. */
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

/** Returns the JSON of a failure under `--json`. */
export function failureJson({code, message, suggestions}: Failure): {
  error: {code: string; message: string; suggestions: readonly string[]}
} {
  return {error: {code, message, suggestions}}
}

/** Returns the error for a failed system call; undefined for a bug. */
function systemFailure(error: unknown): EnvsError | undefined {
  const errno = errnoOf(error)
  const path = error instanceof Error && 'path' in error ? String(error.path) : undefined
  if (errno === 'ENOSPC') return noSpaceError({path: path ?? 'envs'})
  if (errno === 'EDQUOT') return quotaUsedError({path: path ?? 'envs'})
  const limit = limitOf(error)
  if (limit !== undefined) return limitReachedError({limit})
  const refusal = refusalOf(error)
  if (refusal === undefined) return undefined
  const reason = wordsForErrno(refusal)
  if (path === undefined) return isNamelessFailure(error) ? fileFailedError({reason}) : undefined
  return isOfStart(error)
    ? programNotStartedError({program: path, reason})
    : systemRefusedError({path, reason})
}

/** Returns whether a program could not be started. */
function isOfStart(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && /^spawn\b/.test(String(error.syscall))
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

/** Returns the versions of envs, platform and Node, for a bug report. */
export function versionLine(): string {
  return `envs/${packageVersion()} ${process.platform}-${process.arch} node-${process.version}`
}
