import {EnvsError, ExitCode} from '../../errors.js'
import type {MappingObstacle} from '../../host/id-mapping.js'
import {OBSTACLE_EVIDENCE} from '../../host/id-mapping-remedy.js'

/** The user asked for the identity `mapped`, and this host can't give it. */
export class IdentityUnavailableError extends EnvsError {
  constructor(
    readonly reason: MappingObstacle,
    remedy: string,
  ) {
    super(`The identity mapped can't be had on this host: ${OBSTACLE_EVIDENCE[reason]}.`, {
      code: 'ENVS_IDENTITY_UNAVAILABLE',
      exitCode: ExitCode.host,
      suggestions: [remedy, 'Or leave the identity at auto, or set it to emulated.'],
    })
  }
}
