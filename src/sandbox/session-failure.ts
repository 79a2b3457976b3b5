import {getSystemErrorMap} from 'node:util'
import type {EnvsError} from '../errors.js'
import {type CheckId, seeChecks} from '../host/doctor/check.js'
import {commandNotExecutableError, commandNotFoundError, sessionFailedError} from './errors.js'
import type {SessionRequest} from './session-arguments.js'

/** Where the program of a session gave up, and on which errno. */
export type SessionFailure = {readonly stage: string; readonly errno: number}

const ENOENT = 2

/** Reads what keeps a command from running; undefined where nothing of that kind was told. */
export function parseFailure(text: string): SessionFailure | undefined {
  const {stage, errno} = /^failed (?<stage>[a-z-]+) (?<errno>\d+)$/m.exec(text)?.groups ?? {}
  return stage === undefined || errno === undefined ? undefined : {stage, errno: Number(errno)}
}

/**
 * Reads the status pipe of a session's program: undefined when it says that the command was started. Where it says nothing, the
 * environment has ended under it, and nothing has run.
 */
export function readStart(text: string): SessionFailure | undefined {
  return parseFailure(text) ?? (text === 'started\n' ? undefined : {stage: 'unstarted', errno: 0})
}

/** As env(1) ends: 127 for a command that is not there, 126 for another that can't be executed. */
function notExecuted(name: string, command: string, {isMissing}: {isMissing: boolean}): EnvsError {
  const kind = isMissing ? commandNotFoundError : commandNotExecutableError
  const suggestions = command.startsWith('-')
    ? ['Options of envs go before the name of the environment: all words after the name are the command.']
    : []
  return kind({command, name}, {suggestions})
}

/** What the user is told of a failure that a second try would not mend. */
export function sessionError(
  name: string,
  request: SessionRequest,
  {stage, errno}: SessionFailure,
): EnvsError {
  const reason = describeErrno(errno)
  const targets = request.volumes.map(({target}) => target).join(', ')
  const sources = request.volumes.map(({source}) => source).join(', ')
  switch (stage) {
    case 'exec':
      return notExecuted(name, request.command[0] ?? 'the login shell', {isMissing: errno === ENOENT})
    case 'workdir':
      return sessionFailedError(
        {name, reason: `could not enter the folder "${request.workingFolder ?? '/'}": ${reason}`},
        {suggestions: ['Give a folder that exists in the environment, or none for the home folder.']},
      )
    case 'user':
    case 'group':
      return sessionFailedError(
        {name, reason: `it has no ${stage} "${request.user}"`},
        {
          suggestions: [
            `See the ones that exist: envs run ${name} -- cat /etc/${stage === 'user' ? 'passwd' : 'group'}`,
          ],
        },
      )
    case 'stdin':
    case 'stdout':
    case 'stderr':
      return sessionFailedError(
        {name, reason: `${STREAMS[stage]} is a folder, which a session cannot take: ${reason}`},
        {suggestions: ['Redirect it to a file, a pipe or /dev/null. To share a folder: --volume']},
      )
    case 'terminal':
      return sessionFailedError(
        {name, reason: `could not allocate a terminal: ${reason}`},
        {
          suggestions: [
            'See whether all terminals of this host are in use: cat /proc/sys/kernel/pty/nr /proc/sys/kernel/pty/max',
            `Or run the command without a terminal: envs run ${name} -- COMMAND </dev/null 2>&1 | cat`,
          ],
        },
      )
    case 'volume-source':
      return sessionFailedError(
        {name, reason: `could not share "${sources}": ${reason}`},
        {suggestions: ['Share a folder or file that you may read.']},
      )
    case 'volume-target':
      return sessionFailedError(
        {name, reason: `could not mount on "${targets}": ${reason}`},
        {suggestions: ['Choose a target that does not exist yet, or a folder.']},
      )
    case 'volume-read-only':
      return sessionFailedError(
        {name, reason: `this kernel cannot share a folder read-only: ${reason}`},
        {suggestions: ['Use Linux 5.12 or newer, or share the folder writable: leave :ro out.']},
      )
    default:
      return sessionFailedError(
        {name, reason: `step ${stage} failed: ${reason}`},
        {suggestions: [seeChecks(...checksOf(stage))]},
      )
  }
}

const STREAMS = {stdin: 'standard input', stdout: 'standard output', stderr: 'standard error'} as const

/** What the doctor looks at that a stage of a session depends on. */
function checksOf(stage: string): readonly CheckId[] {
  if (stage.startsWith('join-') || stage === 'volume-namespace') return ['user-namespaces', 'apparmor']
  if (stage === 'filter') return ['kernel']
  if (stage === 'become') return ['subordinate-ids', 'apparmor']
  return ['engine']
}

function describeErrno(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? `errno ${errno}`
}
