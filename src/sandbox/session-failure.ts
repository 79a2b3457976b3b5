import {getSystemErrorMap} from 'node:util'
import type {EnvsError} from '../errors.js'
import {type CheckId, seeChecks} from '../host/doctor/check.js'
import {CommandNotExecutedError, SessionFailedError} from './errors.js'
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
      return new CommandNotExecutedError(name, request.command[0] ?? 'the login shell', {
        isMissing: errno === ENOENT,
      })
    case 'workdir':
      return new SessionFailedError(
        name,
        `the folder ${request.workingFolder ?? '/'} can't be entered: ${reason}.`,
        ['Give a folder that exists in the environment, or none for the home folder.'],
      )
    case 'user':
    case 'group':
      return new SessionFailedError(name, `it has no ${stage} ${request.user}.`, [
        `See who there is: envs run ${name} -- cat /etc/${stage === 'user' ? 'passwd' : 'group'}`,
      ])
    case 'stdin':
    case 'stdout':
    case 'stderr':
      return new SessionFailedError(
        name,
        `${STREAMS[stage]} is a folder, which can't be handed to it: ${reason}.`,
        ['Give a file, a pipe, or /dev/null. A folder is shared with --volume.'],
      )
    case 'terminal':
      return new SessionFailedError(name, `no terminal can be made in it: ${reason}.`, [
        'All that the machine may have can be in use: cat /proc/sys/kernel/pty/nr /proc/sys/kernel/pty/max',
        `Or go without one: envs run ${name} -- COMMAND </dev/null 2>&1 | cat`,
      ])
    case 'volume-source':
      return new SessionFailedError(name, `${sources} can't be shared: ${reason}.`, [
        'Share a folder or file that you may read.',
      ])
    case 'volume-target':
      return new SessionFailedError(name, `nothing can be mounted on ${targets} there: ${reason}.`, [
        'Choose a target that is free, or a folder.',
      ])
    case 'volume-read-only':
      return new SessionFailedError(name, `this kernel can't share a folder read-only: ${reason}.`, [
        'Linux 5.12 or newer can. Leave :ro out to share it writable.',
      ])
    default:
      return new SessionFailedError(name, `it failed at ${stage}: ${reason}.`, [
        seeChecks(...checksOf(stage)),
      ])
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
