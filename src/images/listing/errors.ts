import {EnvsError, ExitCode} from '../../errors.js'

/** A listing or a table breaks its own format; nothing of it is used. */
export class MalformedListingError extends EnvsError {
  constructor(
    readonly listing: string,
    /** From 1; of JSON the path of the field. */
    readonly at: number | string,
    readonly reason: string,
  ) {
    super(`${listing} is malformed at ${typeof at === 'number' ? `line ${at}` : at}: ${reason}.`, {
      code: 'ENVS_MALFORMED_LISTING',
      exitCode: ExitCode.integrity,
      suggestions: [
        'Use another mirror, or the publisher itself: this one serves another file than it should.',
      ],
    })
  }
}
