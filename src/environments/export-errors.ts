import {EnvsError, ExitCode} from '../errors.js'

/** A file of the name is there, and it was not said that it may go. */
export class OutputExistsError extends EnvsError {
  constructor(path: string) {
    super(`${path} is there already.`, {
      code: 'ENVS_OUTPUT_EXISTS',
      exitCode: ExitCode.conflict,
      suggestions: ['Choose another name, or add --force to have it replaced.'],
    })
  }
}

/** The archive can't be written where it is to go. */
export class OutputFailedError extends EnvsError {
  constructor(place: string, reason: string, cause?: unknown) {
    super(`${place} can't be written: ${reason}.`, {
      code: 'ENVS_OUTPUT_FAILED',
      exitCode: ExitCode.storage,
      suggestions: ['Give -o a path where you may write.'],
      cause,
    })
  }
}

/** The disk of the archive has no room for it. */
export class OutputFullError extends EnvsError {
  constructor(place: string, cause: unknown) {
    super(`There is not enough free space for ${place}.`, {
      code: 'ENVS_OUTPUT_FULL',
      exitCode: ExitCode.storage,
      suggestions: ['Free some space, or give -o a path on another disk.'],
      cause,
    })
  }
}

/** Whoever read the archive from the pipe has gone. */
export class OutputClosedError extends EnvsError {
  constructor(cause: unknown) {
    super('The program that was to read the archive ended before all of it was written.', {
      code: 'ENVS_OUTPUT_CLOSED',
      exitCode: ExitCode.storage,
      cause,
    })
  }
}
