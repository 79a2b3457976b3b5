import {constants} from 'node:os'
import {EnvsError, ExitCode} from '../errors.js'

/** Signals by which a user, a terminal or a service manager ends a command. */
export type EndingSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** The user ended the command; what was half done has been taken back. */
export class InterruptedError extends EnvsError {
  constructor(signal: EndingSignal) {
    super(`Interrupted by ${signal}.`, {
      code: 'ENVS_INTERRUPTED',
      exitCode: 128 + constants.signals[signal],
    })
  }
}

/** A question can't be asked: there is no terminal to ask it on. */
export class ConfirmationNeededError extends EnvsError {
  constructor(question: string) {
    super(`This needs your confirmation, and there is no terminal to ask on: ${question}`, {
      code: 'ENVS_CONFIRMATION_NEEDED',
      exitCode: ExitCode.usage,
      suggestions: ['Add --yes to go ahead without being asked.'],
    })
  }
}

/** The user was asked and said no. */
export class DeclinedError extends EnvsError {
  constructor() {
    super('Nothing was done.', {code: 'ENVS_DECLINED', exitCode: ExitCode.usage})
  }
}

/** No command has this name. */
export class UnknownCommandError extends EnvsError {
  /**
   * @param nearest - Names it may have been meant to be.
   * @param topic - The group of commands it was looked for in, if any.
   */
  constructor(name: string, nearest: readonly string[], topic?: string) {
    super(`There is no command ${name}.`, {
      code: 'ENVS_UNKNOWN_COMMAND',
      exitCode: ExitCode.usage,
      suggestions: [...nearest, topic === undefined ? '--help' : `${topic} --help`].map(
        (rest) => `envs ${rest}`,
      ),
    })
  }
}

/** A command line that its command can't be given. */
export class CommandLineError extends EnvsError {
  /**
   * @param id - The command's, words separated by `:`.
   * @param meant - What some of its words may have been meant to be.
   */
  constructor(message: string, id: string, meant: readonly string[] = []) {
    super(message, {
      code: 'ENVS_USAGE',
      exitCode: ExitCode.usage,
      suggestions: [
        ...(meant.length === 0 ? [] : [`Did you mean ${meant.join(' or ')}?`]),
        `envs ${id.replaceAll(':', ' ')} --help`,
      ],
    })
  }
}
