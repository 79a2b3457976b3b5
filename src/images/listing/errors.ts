import {defineError, EnvsError, ExitCode} from '../../errors.js'

export class MalformedListingError extends EnvsError {}

/** A listing or a table breaks its own format; nothing of it is used. `at` is a line from 1, or the path of a JSON field. */
export const malformedListingError = defineError(
  'ENVS_MALFORMED_LISTING',
  ExitCode.integrity,
  {
    message: '"{listing}" is malformed at {at}: {reason}.',
    nextStep: 'Use another mirror, or the publisher itself: this mirror serves a wrong file.',
  },
  MalformedListingError,
)
