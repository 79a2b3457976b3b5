import {EnvsCommand} from './command.js'
import {type Failure, sessionStatus} from './render-error.js'

/** A command whose exit status is the guest's. */
export abstract class SessionCommand extends EnvsCommand {
  protected override exitStatusFor(failure: Failure): number {
    return sessionStatus(failure)
  }
}
