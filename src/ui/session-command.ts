import {ExitCode} from '../errors.js'
import {EnvsCommand} from './command.js'
import type {Failure} from './render-error.js'

/** The statuses that a shell gives to a command that can't be executed, or isn't there. */
const NOT_EXECUTED: readonly number[] = [126, 127]

/** A command whose exit status is the guest's: each failure of ours is told apart by 125, as env(1) does. */
export abstract class SessionCommand extends EnvsCommand {
  protected override exitStatusFor({exitCode}: Failure): number {
    return NOT_EXECUTED.includes(exitCode) ? exitCode : ExitCode.guestNotStarted
  }
}
