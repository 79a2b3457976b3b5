import {ExitCode} from '../errors.js'
import {writeError} from './output.js'
import {describeFailure, renderFailure} from './render-error.js'
import {versionLine} from './version-line.js'

/** What a shell gives to a command that can't be executed, or isn't there; above 128, what a signal ended. */
function isShellStatus(status: number): boolean {
  return status === 126 || status === 127 || status > 128
}

/** The status of a session that failed: each failure of ours is told apart by 125, as env(1) does. */
export function sessionStatus({exitCode}: {readonly exitCode: number}): number {
  return isShellStatus(exitCode) ? exitCode : ExitCode.guestNotStarted
}

/** Tells of it on standard error, as a command does. @returns The exit status. */
export function tellSessionFailure(error: unknown, {isVerbose}: {isVerbose: boolean}): number {
  const failure = describeFailure(error)
  writeError(renderFailure(failure, {verbose: isVerbose, version: versionLine()}))
  return sessionStatus(failure)
}
