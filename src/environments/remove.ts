import {rename} from 'node:fs/promises'
import {EnvsError} from '../errors.js'
import {isErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {isRunning} from '../sandbox/anchor.js'
import {chooseIdentity, type Identity} from '../sandbox/identity.js'
import {isInUse} from '../sandbox/processes.js'
import {dropMemory} from '../sandbox/tmpfs.js'
import {
  type EnvironmentFiles,
  type EnvironmentName,
  environmentFiles,
  findEnvironment,
  parseEnvironmentName,
} from '../store/environments.js'
import {
  environmentBusyError,
  HistoryUnreadableError,
  RecordUnreadableError,
  removalIncompleteError,
  stopFirstError,
} from '../store/errors.js'
import {type Leftover, leftoverFolder, removeLeftover, sweepLayers, sweepLeftovers} from '../store/gc.js'
import {layersOf, readHistory} from '../store/history.js'
import type {LayerId} from '../store/layers.js'
import {withLockedEnvironment} from '../store/locks.js'
import {stopFiles} from './session/processes.js'

type RemoveOptions = {
  /** Whether a running environment is stopped first. */
  readonly force: boolean
}

/**
 * Removes environments one after another. Removes none unless all of them exist. A failure does not stop the removal of the
 * others.
 *
 * @returns The names of the environments.
 * @throws The first failure, after an attempt for each environment.
 */
export async function removeEnvironments(
  host: Host,
  texts: readonly string[],
  {force, onRemoved}: RemoveOptions & {readonly onRemoved: (name: string) => void},
): Promise<string[]> {
  const names = [...new Set(texts)]
  for (const name of names) await findRemovable(host, name)
  let failure: {error: unknown} | undefined
  for (const name of names) {
    try {
      await removeEnvironment(host, name, {force})
      onRemoved(name)
    } catch (error) {
      failure ??= {error}
    }
  }
  await sweepLeftovers(host)
  if (failure !== undefined) throw failure.error
  return names
}

/**
 * Removes an environment: one rename makes it invisible to other commands, then its files are deleted.
 *
 * @throws {@link stopFirstError} @throws {@link environmentBusyError} @throws {@link removalIncompleteError}
 */
export async function removeEnvironment(host: Host, text: string, {force}: RemoveOptions): Promise<void> {
  const deadline = Date.now() + START_WAIT_MS
  const find = async () => {
    const removable = await findRemovable(host, text)
    const {name, files} = removable
    if (force) await stopFiles(host, files)
    while (await isInUse(files.run)) {
      if (!force || Date.now() >= deadline) throw stopFirstError({name, command: 'rm'})
      await stopFiles(host, files)
    }
    return removable
  }
  for (;;) {
    try {
      return await removeFound(host, find)
    } catch (error) {
      const isBusy = error instanceof EnvsError && error.code === environmentBusyError.code
      if (!force || !isBusy || Date.now() >= deadline) throw error
      // A session whose environment was just stopped may start it again, under the shared lock.
      const {files} = await findRemovable(host, text)
      if (!(await isRunning(files.run))) throw error
    }
  }
}

/** Longer than a session may take to start an environment: `force` waits for it, and then stops the environment. */
const START_WAIT_MS = 20_000

async function removeFound(host: Host, find: () => Promise<Removable>): Promise<void> {
  await withLockedEnvironment(host.paths, 'exclusive', find, async ({name, files, identity}) => {
    await dropMemory(files.run)
    const layers = await ownLayers(files)
    const leftover = {kind: 'removed', identity, name} as const
    const folder = leftoverFolder(host.paths, leftover)
    await rename(files.folder, folder)
    try {
      await deleteLeftover(host, {...leftover, folder})
    } finally {
      await sweepLayers(host, layers)
    }
  })
}

/** Returns the layers of an environment, which others may share; none where its history can't be read. */
async function ownLayers({history}: EnvironmentFiles): Promise<ReadonlySet<LayerId>> {
  return readHistory(history).then(layersOf, (error: unknown) => {
    if (!isErrno(error, 'ENOENT') && !(error instanceof HistoryUnreadableError)) throw error
    return new Set()
  })
}

async function deleteLeftover(host: Host, leftover: Leftover): Promise<void> {
  const {failures} = await removeLeftover(host, leftover)
  if (failures.length === 0) return
  const files = failures.slice(0, 5).map(({path, code}) => `${path} (${code})`)
  throw removalIncompleteError({
    ...{count: failures.length, name: leftover.name, folder: leftover.folder},
    files: failures.length > 5 ? [...files, '…'] : files,
  })
}

type Removable = {
  readonly name: EnvironmentName
  readonly files: EnvironmentFiles
  readonly identity: Identity
}

/** Finds an environment, also with a damaged record, which hides the identity: the best one of this host can remove any tree. */
async function findRemovable(host: Host, text: string): Promise<Removable> {
  try {
    const {name, files, record} = await findEnvironment(host.paths, text)
    return {name, files, identity: record.identity}
  } catch (error) {
    if (!(error instanceof RecordUnreadableError)) throw error
    const name = parseEnvironmentName(text)
    return {name, files: environmentFiles(host.paths, name), identity: await chooseIdentity('auto', host)}
  }
}
