import {basename} from 'node:path'
import {UsageError} from '../errors.js'
import {SHIM_MARK} from '../host/shim-mark.js'
import type {Volume} from '../sandbox/session-arguments.js'
import {type EnvironmentName, isEnvironmentName} from './name.js'

/** A small program of the host that stands for a command of a guest. */
export type Shim = {
  /** What is typed: the command's name. */
  readonly name: string
  readonly environment: EnvironmentName
  /** What is run: a name that is looked up in the guest, or a path there. */
  readonly command: string
}

/** Where a shim finds what it needs; all of it is written into it. */
export type ShimPlace = {
  /** Absolute path of `bin/envs`. */
  readonly front: string
  /** For Node.js, where the caller's own PATH has none. */
  readonly nodeFolder: string
  /** What of the host the command sees. */
  readonly volumes: readonly Volume[]
  /** Which store the environment is in. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** They choose the store; one that is unset must be so for the shim too. */
const STORE_VARIABLES = ['ENVS_HOME', 'XDG_DATA_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME'] as const

/** A file's name that a shell takes for a word, and no option. */
const NAME = /^[A-Za-z0-9_+][A-Za-z0-9_.+@:~-]{0,127}$/

/** A line of the script tells it, so no line end can be in it. */
const COMMAND = /^[\x20-\x7e]{1,512}$/

/** Reads the COMMAND of `envs shim`. @throws {UsageError} */
export function planShim(environment: EnvironmentName, command: string): Shim {
  const name = basename(command)
  const isPlaced = command === name || (command.startsWith('/') && !command.endsWith('/'))
  if (!NAME.test(name) || !COMMAND.test(command) || !isPlaced) {
    throw new UsageError(`Could not make a shim for "${command}": it is not a valid command.`, [
      'Give the name of a command, or its absolute path in the environment.',
    ])
  }
  return {name, environment, command}
}

/** The text of it, for any POSIX shell. */
export function shimScript({name, environment, command}: Shim, place: ShimPlace): string {
  const variables = STORE_VARIABLES.map((key) => {
    const value = place.environment[key]
    return value === undefined || value === '' ? `unset ${key}` : `export ${key}=${quote(value)}`
  })
  return `${SHIM_MARK}${environment} ${command}
# Runs ${name} in the environment ${environment}. Made by \`envs shim\`; to remove it: envs shim ${environment} ${name} --remove
envs=${quote(place.front)}
if [ ! -x "$envs" ]; then
  printf 'envs: %s needs %s, which does not exist any more.\\n' "$0" "$envs" >&2
  exit 125
fi
if [ -n "\${ENVS_ON_HOST-}" ]; then
  printf 'envs: %s was called by envs, which needs the program of the host.\\n' "$0" >&2
  exit 125
fi
${variables.join('\n')}
export PATH="\${PATH:+$PATH:}"${quote(place.nodeFolder)}
${runLine({environment, command, volumes: place.volumes})} "$@"
`
}

/** Started from a folder that it sees, the command works in that one. */
function runLine({
  environment,
  command,
  volumes,
}: Pick<Shim, 'environment' | 'command'> & Pick<ShimPlace, 'volumes'>): string {
  const shares = volumes.map(
    ({source, target, access}) => `--volume ${quote(`${source}:${target}:${access}`)} `,
  )
  const folders = volumes.map(
    ({source, target}) =>
      `  ${quote(source)}/*) exec "$envs" run ${shares.join('')}--workdir ${quote(target)}"\${PWD#${quote(source)}}" \\
    ${environment} -- ${quote(command)} "$@" ;;\n`,
  )
  const here = folders.length === 0 ? '' : `case $PWD/ in\n${folders.join('')}esac\n`
  return `${here}exec "$envs" run ${shares.join('')}${environment} -- ${quote(command)}`
}

/** Reads the script of a shim; undefined for any other file. */
export function parseShim(name: string, text: string): Shim | undefined {
  if (!text.startsWith(SHIM_MARK)) return undefined
  const {environment = '', command = ''} =
    /^(?<environment>\S+) (?<command>.*)/.exec(text.slice(SHIM_MARK.length))?.groups ?? {}
  return isEnvironmentName(environment) && COMMAND.test(command) ? {name, environment, command} : undefined
}

/** One word for a shell, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
