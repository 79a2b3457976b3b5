import {constants} from 'node:fs'
import {lstat, open, readdir, rm} from 'node:fs/promises'
import {basename, delimiter, dirname, join, resolve} from 'node:path'
import {UsageError} from '../errors.js'
import {parseVolume} from '../features/volumes.js'
import {ignoring} from '../host/errno.js'
import {makeFolders, writeFileAtomic} from '../host/files.js'
import {type Host, SHIM_MARK} from '../host/host.js'
import {packageRoot} from '../host/paths.js'
import type {Volume} from '../sandbox/session-options.js'
import {
  type EnvironmentName,
  findEnvironment,
  isEnvironmentName,
  parseEnvironmentName,
} from '../store/environments.js'
import {shimNotFoundError, shimTakenError} from '../store/errors.js'

/** A shim that is there. */
export type LaidShim = Shim & {
  readonly path: string
  /** Where the shim of this name led to before; undefined where there was none, or not for another environment. */
  readonly replaced?: string
}

/** The script and its quoted paths: a few hundred bytes are usual. */
const MAX_SHIM_BYTES = 65_536

/**
 * Lays a shim for each command into the user's folder of programs; none is laid unless all can be.
 *
 * @param options.commands - Names, or paths in the guest; whether they are there is not looked at.
 * @param options.volumes - What the commands see of the host: `SOURCE[:TARGET[:ro]]`.
 * @throws {EnvironmentNotFoundError} @throws {@link shimTakenError} @throws {UsageError}
 */
export async function layShims(
  host: Host,
  text: string,
  {commands, volumes, force}: {commands: readonly string[]; volumes: readonly string[]; force: boolean},
): Promise<LaidShim[]> {
  const {name} = await findEnvironment(host.paths, text)
  const folder = host.paths.programs
  const planned = commands.map((command) => planShim(name, command))
  const laid = await Promise.all(
    planned.map(async (shim) => {
      const path = join(folder, shim.name)
      const before = await readShim(folder, shim.name)
      if (before === undefined && (await isTaken(path, {force}))) throw shimTakenError({path})
      const isMoved = before !== undefined && before.environment !== name
      return {...shim, path, ...(isMoved ? {replaced: before.environment} : {})}
    }),
  )
  const place = {
    front: join(packageRoot(), 'bin', 'envs'),
    nodeFolder: dirname(process.execPath),
    volumes: volumes.map((volume) => parseVolume(volume, host.workingFolder)),
    environment: host.environment,
  }
  await makeFolders(folder, {mode: 0o755})
  for (const shim of laid) await writeFileAtomic(shim.path, shimScript(shim, place), {mode: 0o755})
  return laid
}

/**
 * In the order of their names.
 *
 * @param text - Those that lead to this environment, or led to it while it was there; else all.
 * @throws {EnvironmentNotFoundError} Where nothing of that name is, nor leads to it. @throws {UsageError}
 */
export async function listShims(host: Pick<Host, 'paths'>, text: string | undefined): Promise<LaidShim[]> {
  if (text === undefined) return readShims(host)
  const environment = parseEnvironmentName(text)
  const shims = await shimsOf(host, environment)
  if (shims.length === 0) await findEnvironment(host.paths, environment)
  return shims
}

/** Those that lead to an environment, be it there or not. */
export async function shimsOf(host: Pick<Host, 'paths'>, name: string): Promise<LaidShim[]> {
  return (await readShims(host)).filter(({environment}) => environment === name)
}

async function readShims({paths}: Pick<Host, 'paths'>): Promise<LaidShim[]> {
  const entries = (await readdir(paths.programs).catch(ignoring('ENOENT'))) ?? []
  const shims: LaidShim[] = []
  for (const name of entries.sort()) {
    const shim = await readShim(paths.programs, name)
    if (shim !== undefined) shims.push({...shim, path: join(paths.programs, name)})
  }
  return shims
}

/**
 * Removes shims of an environment, also of one that is gone; none is removed unless all of them exist.
 *
 * @param commands - As they were typed for {@link layShims}; none for all there are.
 * @throws {@link shimNotFoundError} @throws {EnvironmentNotFoundError} @throws {UsageError}
 */
export async function removeShims(
  host: Pick<Host, 'paths'>,
  text: string,
  commands: readonly string[],
): Promise<LaidShim[]> {
  const environment: EnvironmentName = parseEnvironmentName(text)
  const there = await listShims(host, environment)
  const wanted = new Set(commands.map((command) => planShim(environment, command).name))
  for (const name of wanted) {
    if (!there.some((shim) => shim.name === name)) throw shimNotFoundError({environment, name})
  }
  const removed = there.filter(({name}) => wanted.size === 0 || wanted.has(name))
  for (const {path} of removed) await rm(path, {force: true})
  return removed
}

/** Whether what lies in the folder of shims is found by its name alone. */
export function areShimsInPath({paths, environment}: Pick<Host, 'paths' | 'environment'>): boolean {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  return folders.some((folder) => resolve(folder) === paths.programs)
}

/** A folder is never replaced. */
async function isTaken(path: string, {force}: {force: boolean}): Promise<boolean> {
  const facts = await lstat(path).catch(ignoring('ENOENT'))
  return facts !== undefined && (!force || facts.isDirectory())
}

/** A link to a shim is the user's own doing, and no shim. */
async function readShim(folder: string, name: string): Promise<Shim | undefined> {
  try {
    const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants
    const file = await open(join(folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      const {buffer, bytesRead} = await file.read(Buffer.alloc(SHIM_MARK.length), 0, SHIM_MARK.length, 0)
      if (bytesRead < SHIM_MARK.length || buffer.toString('latin1') !== SHIM_MARK) return undefined
      const {size} = await file.stat()
      return size > MAX_SHIM_BYTES ? undefined : parseShim(name, await file.readFile('utf8'))
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}

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
