import type {SessionRequest} from './session-arguments.js'

type Described = {
  /** `--name` of `envs run`, `enter` and `try`. */
  readonly name: string
  /** `-n` of the same, and of templates/host/session.pl. */
  readonly letter: 'e' | 'u' | 'v' | 'w'
  /** What stands for the value in the usage text. */
  readonly value: string
  readonly doc: string
  /** What completes the value, as scripts/completion-table.mjs names it. */
  readonly completion?: 'file'
  /** The words after the letter for templates/host/session.pl, once for each time that the option stands there. */
  readonly words: (request: SessionRequest) => readonly (readonly string[])[]
}

/** One option; `field` is where a session's wish keeps what was typed. */
export type SessionOption = Described &
  (
    | {readonly takes: 'one'; readonly field: 'user' | 'workingFolder'}
    | {readonly takes: 'many'; readonly field: 'variables' | 'volumes'}
  )

/** What was typed of the options, by field. */
export type SessionFields = {
  user: string | undefined
  workingFolder: string | undefined
  /** `KEY=VALUE`, or `KEY` for the host's value. */
  variables: readonly string[]
  /** `SOURCE[:TARGET[:ro]]` */
  volumes: readonly string[]
}

/**
 * The options of a session: who, where, with which variables and which folders of the host.
 *
 * The parsers, the usage text, the completion and the arguments of templates/host/session.pl are made from this table.
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

/** Reads the options from what a parser found, by name. */
export function sessionFields(typed: Readonly<Record<string, unknown>>): SessionFields {
  const fields: SessionFields = {user: undefined, workingFolder: undefined, variables: [], volumes: []}
  for (const {name, ...option} of SESSION_OPTIONS) {
    const values = [typed[name] ?? []].flat().map(String)
    if (option.takes === 'one') fields[option.field] = values.at(-1)
    else fields[option.field] = values
  }
  return fields
}
