import {constants} from 'node:os'
import {getSystemErrorMap} from 'node:util'

/** Exit statuses of envs; docs/exit-codes.md is the table for users. */
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
  /** A check found something. */
  found: 10,
  /** `run`, `enter`: envs failed before the guest's command ran, as in env(1) and podman-run(1). */
  guestNotStarted: 125,
} as const

export type ErrorCode = `ENVS_${string}`

type ErrorDetails = {
  code: ErrorCode
  exitCode: number
  suggestions?: readonly string[]
  cause?: unknown
}

/** A failure the user can act on. Anything else that reaches the top is a bug and prints its stack. */
export class EnvsError extends Error {
  readonly code: ErrorCode
  readonly exitCode: number
  /** The next steps, one command or sentence each; never `sudo`. */
  readonly suggestions: readonly string[]
  /** oclif reads the status here without --json, and from `exitCode` with it (oclif/core#1423). */
  readonly oclif: {exit: number}

  constructor(message: string, {code, exitCode, suggestions = [], cause}: ErrorDetails) {
    super(message, cause === undefined ? {} : {cause})
    this.name = new.target.name
    this.code = code
    this.exitCode = exitCode
    this.suggestions = suggestions
    this.oclif = {exit: exitCode}
  }
}

/** The names of the placeholders in a text: `{path}` and `{reason}` of `Could not read "{path}": {reason}.` */
type Placeholder<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never

/** A value of a placeholder: a date is written as ISO 8601, a list with commas. */
type PlaceholderValue = string | number | Date | readonly string[]

type ErrorCircumstances = {
  /** Next steps before those of the kind. */
  readonly hints?: readonly string[]
  /** Next steps instead of those of the kind. */
  readonly suggestions?: readonly string[]
  readonly cause?: unknown
}

type ErrorArguments<Name extends string> = [Name] extends [never]
  ? [values?: Record<string, never>, circumstances?: ErrorCircumstances]
  : [values: {readonly [Key in Name]: PlaceholderValue}, circumstances?: ErrorCircumstances]

/**
 * A kind of error: the common properties of all errors with one message. docs/troubleshooting.md is generated from
 * all kinds.
 */
export type ErrorKind<Name extends string = string, Made extends EnvsError = EnvsError> = {
  readonly code: ErrorCode
  readonly exitCode: number
  /** The message, with placeholders, as in the next steps. */
  readonly message: string
  /** Empty if the message suffices. */
  readonly nextSteps: readonly string[]
  /** Creates the error. */
  (...values: ErrorArguments<Name>): Made
  /** Returns the arguments of the constructor of {@link EnvsError}, for a class with own fields. */
  parts(...values: ErrorArguments<Name>): [message: string, details: ErrorDetails]
}

type ErrorTexts<Message extends string, NextStep extends string> = {
  readonly message: Message
  readonly nextStep?: NextStep | readonly NextStep[]
}

/**
 * A class for errors that are caught, to recognise them.
 *
 * @param Class - A class for errors that are caught, to recognise them.
 */
export function defineError<
  const Message extends string,
  const NextStep extends string = never,
  Made extends EnvsError = EnvsError,
>(
  code: ErrorCode,
  exitCode: number,
  texts: ErrorTexts<Message, NextStep>,
  Class?: new (message: string, details: ErrorDetails) => Made,
): ErrorKind<Placeholder<Message | NextStep>, Made>
export function defineError(
  code: ErrorCode,
  exitCode: number,
  {message, nextStep = []}: ErrorTexts<string, string>,
  Class: new (message: string, details: ErrorDetails) => EnvsError = EnvsError,
): unknown {
  const nextSteps = [nextStep].flat()
  const parts = (
    values: Readonly<Record<string, PlaceholderValue>> = {},
    {hints = [], suggestions, cause}: ErrorCircumstances = {},
  ): [string, ErrorDetails] => {
    const usual = nextSteps.map((step) => fillIn(step, values))
    return [
      fillIn(message, values),
      {code, exitCode, suggestions: suggestions ?? [...hints, ...usual], cause},
    ]
  }
  return Object.assign((...given: Parameters<typeof parts>) => new Class(...parts(...given)), {
    ...{code, exitCode, message, nextSteps, parts},
  })
}

function fillIn(text: string, values: Readonly<Record<string, PlaceholderValue>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value instanceof Date) return value.toISOString()
    return Array.isArray(value) ? value.join(', ') : String(value)
  })
}

/** Returns `Did you mean jammy or noble?`, or nothing without a similar name. */
export function didYouMean(nearest: readonly string[]): string[] {
  return nearest.length === 0 ? [] : [`Did you mean ${nearest.join(' or ')}?`]
}

/** Returns similar names, if any, as next steps instead of those of the kind. */
export function orNearest(nearest: readonly string[]): ErrorCircumstances {
  return nearest.length === 0 ? {} : {suggestions: didYouMean(nearest)}
}

/** @public */
export const usageKind = defineError('ENVS_USAGE', ExitCode.usage, {
  message: '{problem}',
  nextStep: 'See the arguments and options of the command: envs COMMAND --help',
})

/** Arguments that can't mean anything; found after parsing, by a domain room or a command. */
export class UsageError extends EnvsError {
  constructor(problem: string, suggestions: readonly string[] = []) {
    super(...usageKind.parts({problem}, {suggestions}))
  }
}

/** Errnos of file systems that libuv has no text for, with their numbers on Linux. @see asm-generic/errno.h */
const UNNAMED: Readonly<Record<string, readonly [number: number, words: string]>> = {
  ENOLCK: [37, 'the file server has no locks left'],
  EBADMSG: [74, 'the disk returned damaged data'],
  ESTALE: [116, 'the file server does not know the file any more'],
  EUCLEAN: [117, 'the file system is damaged'],
  EDQUOT: [122, 'the disk quota is used up'],
  ENOMEDIUM: [123, 'the disk is gone'],
  ENOKEY: [126, 'the folder is encrypted and locked'],
}

/** Returns the text for an errno: `no space left on device`. @see errno(3) */
export function wordsForErrno(errno: string): string {
  const known = [...getSystemErrorMap().values()].find(([name]) => name === errno)?.[1]
  return known ?? UNNAMED[errno]?.[1] ?? errno
}

/** Returns the code of an error: an errno, or a code of Node, of a library or of envs. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Properties of a Node error; `info` if Node checked before the call, as `rm` does for a folder. */
type SystemFailure = {
  readonly code?: unknown
  readonly errno?: unknown
  readonly syscall?: unknown
  readonly info?: SystemFailure
}

/**
 * Returns the errno of a failed system call, or undefined for any other value.
 *
 * The number decides: errors of envs and of Node (`ERR_INVALID_ARG_TYPE`) have a `code` too, and are not system
 * errors.
 */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const failure = error as Error & SystemFailure
  const {code, errno, syscall} = failure.info ?? failure
  if (typeof code !== 'string' || typeof errno !== 'number') return undefined
  const name = getSystemErrorMap().get(-Math.abs(errno))?.[0]
  if (name !== undefined) return name === code ? code : undefined
  // libuv has no names for some errnos, such as EDQUOT.
  return typeof syscall === 'string' ? nameOfErrno(Math.abs(errno)) : undefined
}

function nameOfErrno(number: number): string | undefined {
  const known = Object.entries(constants.errno).find(([, each]) => each === number)?.[0]
  return known ?? Object.entries(UNNAMED).find(([, [each]]) => each === number)?.[0]
}
