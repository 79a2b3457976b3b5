import type {DebArchitecture} from '../host/architecture.js'
import {ioctlKind, systemCalls} from '../host/system-calls.js'
import type {Anchor} from './anchor-state.js'
import type {Identity} from './ids/identity.js'
import {SESSION_OPTIONS} from './session-options.js'

/** Numbers of the descriptors that templates/host/session.pl inherits. */
export const SessionFd = {status: 3, lock: 4, hold: 5, filter: 6} as const

/** A host folder or file that one session sees. `source` is absolute on the host, `target` in the guest. */
export type Volume = {readonly source: string; readonly target: string; readonly access: 'rw' | 'ro'}

export type SessionRequest = {
  /** The guest's argument list, or empty for the user's login shell. */
  readonly command: readonly string[]
  /** `NAME`, `UID`, or either with `:GROUP`. */
  readonly user: string
  /** Absolute in the guest; undefined for the user's home. */
  readonly workingFolder: string | undefined
  readonly variables: readonly {readonly name: string; readonly value: string}[]
  readonly volumes: readonly Volume[]
  /** Whether an interrupt reaches the envs process alone, and must be passed on to a command that shares its terminal. */
  readonly forwardsInterrupts: boolean
}

/** Where a session is started: what {@link sessionCommand} needs beside the request. */
export type SessionPlace = {
  /** Words that start templates/host/session.pl. */
  readonly launcher: readonly string[]
  readonly anchor: Anchor
  readonly identity: Identity
  readonly architecture: DebArchitecture
  /** The process that waits for the session and passes its signals on. */
  readonly parentPid: number
}

/** The argument list that joins a running environment; templates/host/session.pl says what each part means. */
export function sessionCommand(place: SessionPlace, request: SessionRequest): string[] {
  return [
    ...[...place.launcher, String(place.anchor.pid), String(place.parentPid)],
    sessionNumbers(place.architecture),
    ...sessionOptions(place, request),
    '--',
    ...request.command,
  ]
}

/** What the program can't know of a processor: numbers of system calls, and whose numbers its terminals have. */
export function sessionNumbers(architecture: DebArchitecture): string {
  const {prctl, setns, unshare, setsid, mount, wait4} = systemCalls(architecture)
  return [prctl, setns, unshare, setsid, mount, wait4, ioctlKind(architecture)].join(',')
}

/** The part of it that says how, and not where. */
export function sessionOptions(place: Pick<SessionPlace, 'identity'>, request: SessionRequest): string[] {
  return [
    ...['-i', place.identity],
    ...SESSION_OPTIONS.flatMap(({letter, words}) =>
      words(request).flatMap((each) => [`-${letter}`, ...each]),
    ),
  ]
}
