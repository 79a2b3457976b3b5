import {basename, dirname, join} from 'node:path'
import {sha256Of} from '../host/digest.js'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {awaitLock, openLockFile} from '../host/locks.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import {type EnvironmentName, environmentFiles, parseEnvironmentName} from '../store/environments.js'
import {readRecord} from '../store/record.js'
import {notOfProjectError, notSupportedError} from './errors.js'
import {type ProjectFile, tableOf} from './file/extend.js'
import type {EnvironmentTable} from './file/schema.js'

/** An environment as the file wants it, completed by the facts of the host. */
export type ProjectEnvironment = {
  /** Absolute path of the file. */
  readonly path: string
  /** The folder of the project. */
  readonly root: string
  /** The name of the table. */
  readonly table: string
  /** The name in the store. */
  readonly name: EnvironmentName
  readonly wish: EnvironmentTable & {readonly image: string}
  readonly architecture: DebArchitecture
  /** Whether an environment of this table is in the store. */
  readonly exists: boolean
}

/** Keys that this build can't do, with the reason. They are refused, not ignored. */
const UNSUPPORTED: readonly (readonly [key: keyof EnvironmentTable, reason: string])[] = [
  ['ttl', 'environments have no time to live; envs down moves one into the trash'],
  ['services', 'programs are started by envs run --detach, services by init=systemd or init=services'],
]

/**
 * Returns the environment of a table.
 *
 * @throws {@link notSupportedError} @throws {@link notOfProjectError} @throws As `tableOf`.
 */
export async function openProjectEnvironment(
  host: Pick<Host, 'paths' | 'architecture'>,
  file: ProjectFile,
  table: string,
): Promise<ProjectEnvironment> {
  const wish = tableOf(file, table)
  const {path} = file
  const root = dirname(path)
  for (const [key, reason] of UNSUPPORTED)
    if (wish[key] !== undefined) throw notSupportedError({path, key: `env.${table}.${key}`, reason})
  const {name, exists} = await nameInStore(host, {path, root, table})
  const architecture = wish.arch?.includes(host.architecture) === false ? wish.arch[0] : host.architecture
  return {path, root, table, name, wish, architecture: architecture ?? host.architecture, exists}
}

/**
 * Returns `FOLDER-TABLE`. Where another project has made an environment of that name, a part of the digest of the file's path follows.
 *
 * @throws {@link notOfProjectError} When another command than `up` has made it.
 */
async function nameInStore(
  {paths}: Pick<Host, 'paths'>,
  {path, root, table}: Pick<ProjectEnvironment, 'path' | 'root' | 'table'>,
): Promise<Pick<ProjectEnvironment, 'name' | 'exists'>> {
  const first = `${wordOf(basename(root))}-${table}`
  const second = `${first}-${sha256Of(path).slice(0, 6)}`
  for (const text of [first, second]) {
    const name = parseEnvironmentName(text)
    const record = await readRecord(environmentFiles(paths, name).record)
    if (record === undefined) return {name, exists: false}
    const {project} = record.settings
    if (project?.path === path && project.table === table) return {name, exists: true}
    if (project === undefined) throw notOfProjectError({name, path})
  }
  throw notOfProjectError({name: second, path})
}

/**
 * Calls `work` while no other command brings the same environment up or takes it down, with what is there then.
 *
 * @param onWait - Called if another command does that now.
 */
export async function whileAlone<Result>(
  host: Pick<Host, 'paths'>,
  environment: ProjectEnvironment,
  {signal, onWait}: {readonly signal: AbortSignal; readonly onWait: () => void},
  work: (environment: ProjectEnvironment) => Promise<Result>,
): Promise<Result> {
  const {path, table, root} = environment
  const lockPath = join(host.paths.locks, `.up.${fileId(environment)}.lock`)
  await makeFolders(host.paths.locks, {mode: 0o700})
  const lock = await awaitLock(openLockFile(lockPath), {signal, onWait})
  try {
    return await work({...environment, ...(await nameInStore(host, {path, root, table}))})
  } finally {
    lock.release()
  }
}

/** Returns a word for file names that no other table of any file has. */
export function fileId({path, table}: Pick<ProjectEnvironment, 'path' | 'table'>): string {
  return sha256Of(`${path}\0${table}`).slice(0, 32)
}

/** Longest part of a name that a folder gives. */
const MOST_CHARACTERS = 24

function wordOf(folder: string): string {
  const word = folder
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, MOST_CHARACTERS)
  return word.replace(/-+$/, '') || 'project'
}
