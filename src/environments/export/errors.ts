import {defineError, ExitCode} from '../../errors.js'

/** The output file exists and --force was not given. */
export const outputExistsError = defineError('ENVS_OUTPUT_EXISTS', ExitCode.conflict, {
  message: 'The file "{path}" exists already.',
  nextStep: 'Choose another name, or replace the file with --force.',
})

/** The tarball cannot be written to its path. */
export const exportUnwritableError = defineError('ENVS_OUTPUT_FAILED', ExitCode.storage, {
  message: 'Could not write "{place}": {reason}.',
  nextStep: 'Give -o a path where you may write.',
})

/** The disk has no space for the tarball. */
export const outputFullError = defineError('ENVS_OUTPUT_FULL', ExitCode.storage, {
  message: 'Not enough free space for "{place}".',
  nextStep: 'Free some space, or give -o a path on another disk.',
})

/** The program that reads the tarball from the pipe has ended. */
export const outputClosedError = defineError('ENVS_OUTPUT_CLOSED', ExitCode.storage, {
  message: 'Could not write the whole tarball: the program that reads it has ended.',
})
