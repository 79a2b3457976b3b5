import {percentWords} from '../host/argv/bytes.js'
import {type DebArchitecture, ioctlKind, systemCalls} from '../host/machine/arch.js'
import type {Anchor} from './anchor-state.js'
import type {Identity} from './identity.js'

/** Numbers of the descriptors that templates/host/session.pl inherits. */
export const SessionFd = {status: 3, lock: 4, hold: 5, filter: 6} as const

/** A folder or file of the host that one session shares. `source` is absolute on the host, `target` in the guest. */
export type Volume = {readonly source: string; readonly target: string; readonly access: 'rw' | 'ro'}

export type SessionVariable = {
  readonly name: string
  readonly value: string
  /** Set for a variable of the image, which no program of the host may see: Perl and the linker obey some. */
  readonly isOfImage?: true
}

/** The parsed and checked options of one session. */
export type SessionRequest = {
  /** The argv in the guest; empty for the user's login shell. */
  readonly command: readonly string[]
  /** `NAME`, `UID`, or either with `:GROUP`. */
  readonly user: string
  /** Absolute in the guest; undefined for the user's home. */
  readonly workingFolder: string | undefined
  /** Used in place of the user's home if it is a folder; left out if the image names none. */
  readonly usualFolder?: string
  /** Later ones replace earlier ones. */
  readonly variables: readonly SessionVariable[]
  readonly volumes: readonly Volume[]
  /** Whether the session has a network of its own without a way out, in place of that of the environment. */
  readonly network?: 'none' | undefined
  /** Whether an interrupt reaches only the envs process, which must forward it to the command. */
  readonly forwardsInterrupts: boolean
}

/** The facts that {@link sessionCommand} needs apart from the request. */
export type SessionPlace = {
  /** Argv prefix of templates/host/session.pl. */
  readonly launcher: readonly string[]
  readonly anchor: Anchor
  readonly identity: Identity
  readonly architecture: DebArchitecture
  /** The process that waits for the session and forwards signals to it. */
  readonly parentPid: number
}

/** Returns the argv that joins a running environment; templates/host/session.pl documents each part. */
export function sessionCommand(place: SessionPlace, request: SessionRequest): string[] {
  return [
    ...[...place.launcher, String(place.anchor.pid), String(place.parentPid)],
    sessionNumbers(place.architecture),
    ...percentWords([...sessionOptions(place, request), '--', ...request.command]),
  ]
}

/** Returns the numbers of an architecture that Perl does not know: system calls, and the kind of its terminal ioctls. */
export function sessionNumbers(architecture: DebArchitecture): string {
  const {prctl, setns, unshare, setsid, mount, wait4, sendmsg, recvmsg} = systemCalls(architecture)
  return [prctl, setns, unshare, setsid, mount, wait4, sendmsg, recvmsg, ioctlKind(architecture)].join(',')
}

/** Returns the options in the argv of {@link sessionCommand}. */
export function sessionOptions(
  {identity, anchor: {group, sessionGroup}}: Pick<SessionPlace, 'identity' | 'anchor'>,
  request: SessionRequest,
): string[] {
  return [
    ...['-i', identity],
    ...(request.usualFolder === undefined ? [] : ['-d', request.usualFolder]),
    ...(sessionGroup === undefined ? [] : ['-g', sessionGroup]),
    ...(group === undefined ? [] : ['-z', group]),
    ...SESSION_OPTIONS.flatMap(({letter, words}) =>
      (words?.(request) ?? []).flatMap((each) => [`-${letter}`, ...each]),
    ),
  ]
}

type SessionOptionBase = {
  /** `--name` of `envs run`, `enter` and `try`. */
  readonly name: string
  /** Letter of the short option, there and in templates/host/session.pl. */
  readonly letter: 'e' | 'n' | 'u' | 'v' | 'w'
  /** Placeholder of the value in the help. */
  readonly value: string
  readonly doc: string
  /** Kind of completion of the value, as scripts/completion-table.mjs names it. */
  readonly completion?: 'file'
  /**
   * The words after the letter for templates/host/session.pl, once for each time that the option stands there. Left out where only a
   * feature reads the option.
   */
  readonly words?: (request: SessionRequest) => readonly (readonly string[])[]
}

/** One option; `field` is the key of its values in {@link SessionFields}. */
export type SessionOption = SessionOptionBase &
  (
    | {readonly takes: 'one'; readonly field: 'network' | 'user' | 'workingFolder'}
    | {readonly takes: 'many'; readonly field: 'variables' | 'volumes'}
  )

/** The values of the options as the user typed them. */
export type SessionFields = {
  /** `none`; missing for the network of the environment. */
  network?: string
  user: string | undefined
  workingFolder: string | undefined
  /** `KEY=VALUE`, or `KEY` for the host's value. */
  variables: readonly string[]
  /** `SOURCE[:TARGET[:ro]]` */
  volumes: readonly string[]
}

/**
 * The options of a session: user, working folder, environment variables and shared folders.
 *
 * The flags, the help, the completion and the arguments of templates/host/session.pl are made from this table.
 */
export const SESSION_OPTIONS: readonly SessionOption[] = [
  {
    name: 'env',
    letter: 'e',
    takes: 'many',
    field: 'variables',
    value: 'KEY[=VALUE]',
    doc: "environment variable; without =VALUE, the host's value",
    words: ({variables}) => variables.map(({name, value}) => [`${name}=${value}`]),
  },
  {
    name: 'network',
    letter: 'n',
    takes: 'one',
    field: 'network',
    value: 'none',
    doc: "none for no network [default: the environment's]",
    words: ({network}) => (network === undefined ? [] : [[network]]),
  },
  {
    name: 'user',
    letter: 'u',
    takes: 'one',
    field: 'user',
    value: 'USER',
    doc: 'user of the session [default: root]',
    words: ({user}) => [[user]],
  },
  {
    name: 'volume',
    letter: 'v',
    takes: 'many',
    field: 'volumes',
    value: 'SOURCE[:TARGET[:ro]]',
    doc: 'folder or file of the host to share; :ro for read-only',
    completion: 'file',
    words: ({volumes}) => volumes.map(({source, target, access}) => [source, target, access]),
  },
  {
    name: 'workdir',
    letter: 'w',
    takes: 'one',
    field: 'workingFolder',
    value: 'FOLDER',
    doc: 'working folder in the guest [default: the home folder]',
    words: ({workingFolder}) => (workingFolder === undefined ? [] : [[workingFolder]]),
  },
]

/** Converts parsed flags, by name, to the fields of a session. */
export function sessionFields(typed: Readonly<Record<string, unknown>>): SessionFields {
  const fields: SessionFields = {user: undefined, workingFolder: undefined, variables: [], volumes: []}
  for (const {name, ...option} of SESSION_OPTIONS) {
    const values = [typed[name] ?? []].flat().map(String)
    if (option.field === 'network') Object.assign(fields, values.length === 0 ? {} : {network: values.at(-1)})
    else if (option.takes === 'one') fields[option.field] = values.at(-1)
    else fields[option.field] = values
  }
  return fields
}
