import {defineError, EnvsError, ExitCode} from '../../errors.js'

export class IdentityUnavailableError extends EnvsError {}

/** The user asked for the identity `mapped`, and this host can't give it. */
export const identityUnavailableError = defineError(
  'ENVS_IDENTITY_UNAVAILABLE',
  ExitCode.host,
  {
    message: 'This host cannot provide the identity mapped: {evidence}.',
    nextStep: 'Or use the identity emulated: leave the setting identity at auto.',
  },
  IdentityUnavailableError,
)
