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

/** A shim in the user's folder of programs. */
export type InstalledShim = Shim & {
  readonly path: string
  /** The environment that a replaced shim of this name belonged to; undefined without one, or for the same environment. */
  readonly replaced?: string
}

/** A script with its quoted paths usually has a few hundred bytes. */
const MAX_SHIM_BYTES = 65_536

/**
 * Installs a shim for each command in the user's folder of programs. Installs none unless all can be installed.
 *
 * @param options.commands - Names, or absolute paths in the guest; their existence is not checked.
 * @param options.volumes - Volumes that the commands share with the host: `SOURCE[:TARGET[:ro]]`.
 * @throws {EnvironmentNotFoundError} @throws {@link shimTakenError} @throws {UsageError}
 */
export async function installShims(
  host: Host,
  text: string,
  {commands, volumes, force}: {commands: readonly string[]; volumes: readonly string[]; force: boolean},
): Promise<InstalledShim[]> {
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
  const context = {
    front: join(packageRoot(), 'bin', 'envs'),
    nodeFolder: dirname(process.execPath),
    volumes: volumes.map((volume) => parseVolume(volume, host.workingFolder)),
    environment: host.environment,
  }
  await makeFolders(folder, {mode: 0o755})
  for (const shim of laid) await writeFileAtomic(shim.path, shimScript(shim, context), {mode: 0o755})
  return laid
}

/**
 * Lists shims in the order of their names.
 *
 * @param text - Name of the environment, which may have been removed; undefined for the shims of all environments.
 * @throws {EnvironmentNotFoundError} When neither an environment nor a shim has that name. @throws {UsageError}
 */
export async function listShims(
  host: Pick<Host, 'paths'>,
  text: string | undefined,
): Promise<InstalledShim[]> {
  if (text === undefined) return readShims(host)
  const environment = parseEnvironmentName(text)
  const shims = await shimsOf(host, environment)
  if (shims.length === 0) await findEnvironment(host.paths, environment)
  return shims
}

/** Returns the shims of an environment, also of a removed one. */
export async function shimsOf(host: Pick<Host, 'paths'>, name: string): Promise<InstalledShim[]> {
  return (await readShims(host)).filter(({environment}) => environment === name)
}

async function readShims({paths}: Pick<Host, 'paths'>): Promise<InstalledShim[]> {
  const entries = (await readdir(paths.programs).catch(ignoring('ENOENT'))) ?? []
  const shims: InstalledShim[] = []
  for (const name of entries.sort()) {
    const shim = await readShim(paths.programs, name)
    if (shim !== undefined) shims.push({...shim, path: join(paths.programs, name)})
  }
  return shims
}

/**
 * Removes shims of an environment, also of a removed one. Removes none unless all of them exist.
 *
 * @param commands - Commands as for {@link installShims}; an empty list for all shims of the environment.
 * @throws {@link shimNotFoundError} @throws {EnvironmentNotFoundError} @throws {UsageError}
 */
export async function removeShims(
  host: Pick<Host, 'paths'>,
  text: string,
  commands: readonly string[],
): Promise<InstalledShim[]> {
  const environment: EnvironmentName = parseEnvironmentName(text)
  const installed = await listShims(host, environment)
  const wanted = new Set(commands.map((command) => planShim(environment, command).name))
  for (const name of wanted) {
    if (!installed.some((shim) => shim.name === name)) throw shimNotFoundError({environment, name})
  }
  const removed = installed.filter(({name}) => wanted.size === 0 || wanted.has(name))
  for (const {path} of removed) await rm(path, {force: true})
  return removed
}

/** Returns whether PATH contains the folder of shims. */
export function areShimsInPath({paths, environment}: Pick<Host, 'paths' | 'environment'>): boolean {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  return folders.some((folder) => resolve(folder) === paths.programs)
}

/** Returns whether another file has the path of a shim. `force` replaces any file except a folder. */
async function isTaken(path: string, {force}: {force: boolean}): Promise<boolean> {
  const facts = await lstat(path).catch(ignoring('ENOENT'))
  return facts !== undefined && (!force || facts.isDirectory())
}

/** Reads a shim; undefined for any other file. A symlink to a shim is a file of the user, so it is not followed. */
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

/** A small program on the host that runs a command in an environment. */
export type Shim = {
  /** File name of the shim, which is the name of the command. */
  readonly name: string
  readonly environment: EnvironmentName
  /** The command in the guest: a name, or an absolute path. */
  readonly command: string
}

/** Values that are written into the script of a shim. */
export type ShimContext = {
  /** Absolute path of `bin/envs`. */
  readonly front: string
  /** Folder of Node.js, for a caller whose PATH has none. */
  readonly nodeFolder: string
  /** Volumes that the command shares with the host. */
  readonly volumes: readonly Volume[]
  /** Environment variables of the host, which choose the store. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Variables that choose the store. A variable that is unset now must be unset in the shim too. */
const STORE_VARIABLES = ['ENVS_HOME', 'XDG_DATA_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME'] as const

/** A file name that a shell reads as one word, and no program reads as an option. */
const SHIM_NAME_PATTERN = /^[A-Za-z0-9_+][A-Za-z0-9_.+@:~-]{0,127}$/

/** The command is part of a comment in the script, so it can't contain a line end. */
const COMMAND_PATTERN = /^[\x20-\x7e]{1,512}$/

/** Parses the COMMAND of `envs shim`. @throws {UsageError} */
export function planShim(environment: EnvironmentName, command: string): Shim {
  const name = basename(command)
  const isPlaced = command === name || (command.startsWith('/') && !command.endsWith('/'))
  if (!SHIM_NAME_PATTERN.test(name) || !COMMAND_PATTERN.test(command) || !isPlaced) {
    throw new UsageError(`Could not make a shim for "${command}": it is not a valid command.`, [
      'Give the name of a command, or its absolute path in the environment.',
    ])
  }
  return {name, environment, command}
}

/** Returns the script of a shim, for any POSIX shell. */
export function shimScript({name, environment, command}: Shim, context: ShimContext): string {
  const variables = STORE_VARIABLES.map((key) => {
    const value = context.environment[key]
    return value === undefined || value === '' ? `unset ${key}` : `export ${key}=${quote(value)}`
  })
  return `${SHIM_MARK}${environment} ${command}
# Runs ${name} in the environment ${environment}. Made by \`envs shim\`; to remove it: envs shim ${environment} ${name} --remove
envs=${quote(context.front)}
if [ ! -x "$envs" ]; then
  printf 'envs: %s needs %s, which does not exist any more.\\n' "$0" "$envs" >&2
  exit 125
fi
if [ -n "\${ENVS_ON_HOST-}" ]; then
  printf 'envs: %s was called by envs, which needs the program of the host.\\n' "$0" >&2
  exit 125
fi
${variables.join('\n')}
export PATH="\${PATH:+$PATH:}"${quote(context.nodeFolder)}
${argumentLines({environment, command, volumes: context.volumes})}
# Not executed: a second shell takes longer to start than this one needs for all the rest.
ENVS_FRONT_DOOR=$envs
. "$envs"
`
}

/**
 * Returns the lines that set the arguments of envs. Called from a folder in a volume, the command has that working folder in the
 * guest.
 */
function argumentLines({
  environment,
  command,
  volumes,
}: Pick<Shim, 'environment' | 'command'> & Pick<ShimContext, 'volumes'>): string {
  const shares = volumes.map(
    ({source, target, access}) => `--volume ${quote(`${source}:${target}:${access}`)} `,
  )
  const set = (workdir: string): string =>
    `set -- run ${shares.join('')}${workdir}${environment} -- ${quote(command)} "$@"`
  const folders = volumes.map(
    ({source, target}) =>
      `  ${quote(source)}/*) ${set(`--workdir ${quote(target)}"\${PWD#${quote(source)}}" `)} ;;\n`,
  )
  return folders.length === 0 ? set('') : `case $PWD/ in\n${folders.join('')}  *) ${set('')} ;;\nesac`
}

/** Parses the script of a shim; undefined for any other text. */
export function parseShim(name: string, text: string): Shim | undefined {
  if (!text.startsWith(SHIM_MARK)) return undefined
  const {environment = '', command = ''} =
    /^(?<environment>\S+) (?<command>.*)/.exec(text.slice(SHIM_MARK.length))?.groups ?? {}
  return isEnvironmentName(environment) && COMMAND_PATTERN.test(command)
    ? {name, environment, command}
    : undefined
}

/** Quotes a text as one word for a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
