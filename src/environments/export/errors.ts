import {defineError, ExitCode} from '../../errors.js'

/** A file of the name is there, and it was not said that it may go. */
export const outputExistsError = defineError('ENVS_OUTPUT_EXISTS', ExitCode.conflict, {
  message: 'The file "{path}" exists already.',
  nextStep: 'Choose another name, or replace the file with --force.',
})

/** The archive can't be written where it is to go. */
export const exportUnwritableError = defineError('ENVS_OUTPUT_FAILED', ExitCode.storage, {
  message: 'Could not write "{place}": {reason}.',
  nextStep: 'Give -o a path where you may write.',
})

/** The disk of the archive has no room for it. */
export const outputFullError = defineError('ENVS_OUTPUT_FULL', ExitCode.storage, {
  message: 'Not enough free space for "{place}".',
  nextStep: 'Free some space, or give -o a path on another disk.',
})

/** Whoever read the archive from the pipe has gone. */
export const outputClosedError = defineError('ENVS_OUTPUT_CLOSED', ExitCode.storage, {
  message: 'Could not write all of the archive: the program that reads it has ended.',
})
