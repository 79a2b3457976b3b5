import {UsageError} from '../../errors.js'

/** Changes to how an image runs, as typed. */
export type ConfigWish = {
  readonly env?: readonly string[] | undefined
  readonly cmd?: string | undefined
  readonly entrypoint?: string | undefined
  readonly user?: string | undefined
  readonly workdir?: string | undefined
  readonly label?: readonly string[] | undefined
  readonly expose?: readonly string[] | undefined
  readonly 'stop-signal'?: string | undefined
}

/** The part of an image's configuration that says how to run it, with the names of the specification. */
export type RunFields = {
  readonly Env?: readonly string[] | null | undefined
  readonly Cmd?: readonly string[] | null | undefined
  readonly Entrypoint?: readonly string[] | null | undefined
  readonly User?: string | undefined
  readonly WorkingDir?: string | undefined
  readonly Labels?: Readonly<Record<string, string>> | null | undefined
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | null | undefined
  readonly StopSignal?: string | undefined
}

/** Changes, checked. */
export type ConfigChanges = (fields: RunFields) => RunFields

const PORT = /^(?<first>\d{1,5})(?:-(?<last>\d{1,5}))?(?:\/(?:tcp|udp|sctp))?$/
const MOST_PORT = 65_535

/**
 * Checks the changes. An empty text removes a value.
 *
 * @throws {UsageError}
 */
export function parseConfigChanges(wish: ConfigWish): ConfigChanges {
  const env = (wish.env ?? []).map((text) => parsePair(text, 'env'))
  const labels = (wish.label ?? []).map((text) => parsePair(text, 'label'))
  const ports = (wish.expose ?? []).map(parsePort)
  const cmd = wish.cmd === undefined ? undefined : {words: parseWords(wish.cmd, 'cmd')}
  const entrypoint =
    wish.entrypoint === undefined ? undefined : {words: parseWords(wish.entrypoint, 'entrypoint')}
  const {workdir, user, 'stop-signal': stopSignal} = wish
  if (workdir !== undefined && workdir !== '' && !workdir.startsWith('/'))
    throw new UsageError(`--workdir "${workdir}" is not an absolute path.`)
  return (fields) => ({
    ...fields,
    ...(env.length === 0 ? {} : {Env: withVariables(fields.Env ?? [], env)}),
    // The arguments of the former entrypoint mean nothing to another one.
    ...(entrypoint === undefined ? {} : {Entrypoint: entrypoint.words, Cmd: undefined}),
    ...(cmd === undefined ? {} : {Cmd: cmd.words}),
    ...(user === undefined ? {} : {User: orNothing(user)}),
    ...(workdir === undefined ? {} : {WorkingDir: orNothing(workdir)}),
    ...(labels.length === 0 ? {} : {Labels: {...fields.Labels, ...Object.fromEntries(labels)}}),
    ...(ports.length === 0
      ? {}
      : {ExposedPorts: {...fields.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}]))}}),
    ...(stopSignal === undefined ? {} : {StopSignal: orNothing(stopSignal)}),
  })
}

function parsePair(text: string, flag: string): [string, string] {
  const equals = text.indexOf('=')
  if (equals <= 0) throw new UsageError(`--${flag} "${text}" has not the form NAME=VALUE.`)
  return [text.slice(0, equals), text.slice(equals + 1)]
}

/** Replaces variables in their places, and adds the others. */
function withVariables(
  present: readonly string[],
  changes: readonly (readonly [string, string])[],
): string[] {
  const values = new Map(present.map((text) => [text.split('=', 1)[0] ?? '', text] as const))
  for (const [name, value] of changes) values.set(name, `${name}=${value}`)
  return [...values.values()]
}

function parsePort(text: string): string {
  const {first, last = first} = PORT.exec(text)?.groups ?? {}
  const isPort = Number(first) >= 1 && Number(first) <= Number(last) && Number(last) <= MOST_PORT
  if (!isPort) throw new UsageError(`--expose "${text}" is not a port.`, ['Write 80, 53/udp or 8000-8010'])
  return text.includes('/') ? text : `${text}/tcp`
}

/**
 * Parses a command as a Dockerfile does: a JSON array is the words of the program, any other text a line for the shell.
 *
 * @see https://docs.docker.com/reference/dockerfile/#shell-and-exec-form
 */
function parseWords(text: string, flag: string): readonly string[] | undefined {
  if (text.trim() === '') return undefined
  if (!text.trimStart().startsWith('[')) return ['/bin/sh', '-c', text]
  const words = parsedOrNothing(text)
  const areWords = Array.isArray(words) && words.every((word) => typeof word === 'string')
  if (!areWords) throw new UsageError(`--${flag} ${text} is not an array of texts in JSON.`)
  return words.length === 0 ? undefined : words
}

function parsedOrNothing(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function orNothing(text: string): string | undefined {
  return text === '' ? undefined : text
}
