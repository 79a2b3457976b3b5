import {defineError, didYouMean, EnvsError, ExitCode, UsageError} from '../errors.js'

/** Signals by which a user, a terminal or a service manager ends a command. @see man 7 signal: the same on each architecture */
const ENDING_SIGNALS = {SIGHUP: 1, SIGINT: 2, SIGTERM: 15} as const

export type EndingSignal = keyof typeof ENDING_SIGNALS

/** @public */
export const interruptedKind = defineError('ENVS_INTERRUPTED', 128 + ENDING_SIGNALS.SIGINT, {
  message: 'Interrupted by {signal}.',
})

/** The user ended the command; what was half done has been taken back. */
export class InterruptedError extends EnvsError {
  /** The exit status is that of SIGINT. */

  constructor(signal: EndingSignal) {
    const [message, details] = interruptedKind.parts({signal})
    super(message, {...details, exitCode: 128 + ENDING_SIGNALS[signal]})
  }
}

/** A question cannot be asked without a terminal. */
export const confirmationNeededError = defineError('ENVS_CONFIRMATION_NEEDED', ExitCode.usage, {
  message: 'This needs your confirmation, and there is no terminal to ask on: {question}',
  nextStep: 'Add --yes to go ahead without the question.',
})

/** The user was asked and said no. */
export const declinedError = defineError('ENVS_DECLINED', ExitCode.usage, {message: 'Nothing was changed.'})

export class OutputFailedError extends EnvsError {}

/** The output of a command could not be written; its work is done. */
export const outputFailedError = defineError(
  'ENVS_OUTPUT_FAILED',
  ExitCode.storage,
  {
    message: 'Could not write to standard output: {reason}.',
    nextStep: 'The command did its work. Redirect its output to another file.',
  },
  OutputFailedError,
)

/** No command has this name; callers add similar names and their help. */
export const unknownCommandError = defineError('ENVS_UNKNOWN_COMMAND', ExitCode.usage, {
  message: 'There is no command "{name}".',
  nextStep: 'envs --help',
})

/**
 * Returns the error for a command line that its command does not accept.
 *
 * @param id - The words of the command, separated by `:`.
 * @param meant - Corrections of some of its words.
 */
export function commandLineError(message: string, id: string, meant: readonly string[] = []): UsageError {
  return new UsageError(message, [...didYouMean(meant), `envs ${id.replaceAll(':', ' ')} --help`])
}

/** The file system or its permissions refused an access. */
export const systemRefusedError = defineError('ENVS_STORAGE_FAILED', ExitCode.storage, {
  message: 'Could not access "{path}": {reason}.',
  nextStep:
    'Check the permissions of the path and the state of its disk, or set ENVS_HOME to another folder.',
})

/** As {@link systemRefusedError}, for a file whose path is not known. */
export const fileFailedError = defineError('ENVS_STORAGE_FAILED', ExitCode.storage, {
  message: 'Could not read or write a file: {reason}.',
  nextStep: 'Check the state of the disk, then run the command again.',
})

/** The kernel could not execute a program of the host. */
export const programNotStartedError = defineError('ENVS_PROGRAM_NOT_STARTED', ExitCode.host, {
  message: 'Could not start the program "{program}": {reason}.',
  nextStep: 'Check that you can run the program, and the state of the disk that it is on.',
})

const FREE_SPACE = 'Free some space, with this command for example: envs prune'
const OTHER_DISK = 'Or set ENVS_HOME to a folder on another disk.'

export const noSpaceError = defineError('ENVS_NO_SPACE', ExitCode.storage, {
  message: 'No space is left on the disk of "{path}".',
  nextStep: [FREE_SPACE, OTHER_DISK],
})

export const quotaUsedError = defineError('ENVS_NO_SPACE', ExitCode.storage, {
  message: 'Your quota is used up on the disk of "{path}".',
  nextStep: [FREE_SPACE, OTHER_DISK],
})

/** Printed after the stack. */
export const bugError = defineError('ENVS_BUG', ExitCode.bug, {
  message: 'This is a bug in envs ({version}).',
  nextStep: 'Please report it with these lines and what you typed.',
})
