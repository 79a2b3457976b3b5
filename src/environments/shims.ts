import {constants} from 'node:fs'
import {lstat, open, readdir, rm} from 'node:fs/promises'
import {delimiter, dirname, join, resolve} from 'node:path'
import {parseVolume} from '../features/volumes.js'
import {writeFileAtomic} from '../host/atomic-file.js'
import {ignoring} from '../host/errno.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {packageRoot} from '../host/paths.js'
import {SHIM_MARK} from '../host/shim-mark.js'
import {shimNotFoundError, shimTakenError} from './errors.js'
import {type EnvironmentName, parseEnvironmentName} from './name.js'
import {parseShim, planShim, type Shim, shimScript} from './shim-script.js'
import {findEnvironment} from './store.js'

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
