import {existsSync} from 'node:fs'
import {rename} from 'node:fs/promises'
import {EnvsError} from '../errors.js'
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
  listRemoved,
  parseEnvironmentName,
  type RemovedEnvironment,
} from '../store/environments.js'
import {
  environmentBusyError,
  RecordUnreadableError,
  removalIncompleteError,
  stopFirstError,
} from '../store/errors.js'
import {leftoverFolder, sweepLeftovers} from '../store/gc.js'
import {withReserve} from '../store/integrity/reserve.js'
import {withLockedEnvironment} from '../store/locks.js'
import {
  deleteRemoved,
  deleteWithLayers,
  layersIn,
  limitTrash,
  type MeasuredRemoved,
  moveToTrash,
  sweepTrash,
  type TrashBounds,
} from '../store/trash.js'
import {sweepExports} from './export/abandoned.js'
import {stopFiles} from './session/processes.js'
import {readMark} from './try/tries.js'

type RemoveOptions = {
  /** Whether a running environment is stopped first. */
  readonly force: boolean
}

/** The result of a removal. */
export type Removal = {
  readonly name: EnvironmentName
  /** The removed environment that can be recovered; undefined when its files were deleted. */
  readonly kept: RemovedEnvironment | undefined
}

/** The results of several removals, and of the limit of the trash. */
export type Removals = {
  readonly removals: readonly Removal[]
  /** The space that each removed environment of this command takes. */
  readonly kept: readonly MeasuredRemoved[]
  /** Environments that were removed before, and deleted now to make room. */
  readonly deleted: readonly MeasuredRemoved[]
}

/**
 * Removes environments one after another. Removes none unless all of them exist. A failure does not stop the removal of the
 * others.
 *
 * @param options.trash - Bounds of the trash; undefined to delete the files at once, also those of environments that were removed
 * before.
 * @throws The first failure, after an attempt for each environment.
 */
export async function removeEnvironments(
  host: Host,
  texts: readonly string[],
  {force, trash, onRemoved}: ManyOptions,
): Promise<Removals> {
  const names = [...new Set(texts)]
  const isFinal = trash === undefined
  for (const name of names) if (!isFinal || !isRemoved(host, name)) await findRemovable(host, name)
  const removals: Removal[] = []
  let failure: {error: unknown} | undefined
  for (const name of names) {
    try {
      const removal = await removeOne(host, name, {force, trash})
      removals.push(removal)
      onRemoved(removal)
    } catch (error) {
      failure ??= {error}
    }
  }
  await sweepTrash(host)
  await sweepExports(host)
  await sweepLeftovers(host)
  if (failure !== undefined) throw failure.error
  return {removals, ...(await makeRoom(host, removals, trash))}
}

type ManyOptions = RemoveOptions & {
  readonly trash: TrashBounds | undefined
  readonly onRemoved: (removal: Removal) => void
}

async function makeRoom(
  host: Host,
  removals: readonly Removal[],
  trash: TrashBounds | undefined,
): Promise<Pick<Removals, 'kept' | 'deleted'>> {
  const spared = new Set(removals.flatMap(({kept}) => kept?.folder ?? []))
  if (trash === undefined || spared.size === 0) return {kept: [], deleted: []}
  const {kept, deleted} = await limitTrash(host, {...trash, spared})
  return {kept: kept.filter(({removed}) => spared.has(removed.folder)), deleted}
}

function isRemoved({paths}: Host, text: string): boolean {
  return listRemoved(paths).some(({name}) => name === text)
}

async function removeOne(
  host: Host,
  text: string,
  {force, trash}: Omit<ManyOptions, 'onRemoved'>,
): Promise<Removal> {
  if (trash !== undefined) return removeEnvironment(host, text, {force, trash})
  const name = parseEnvironmentName(text)
  if (!isRemoved(host, name) || existsSync(environmentFiles(host.paths, name).record))
    return removeEnvironment(host, name, {force})
  for (const removed of listRemoved(host.paths)) if (removed.name === name) await deleteRemoved(host, removed)
  return {name, kept: undefined}
}

/**
 * Removes an environment by one rename, which makes it invisible to other commands; then deletes its files, unless they go to the
 * trash. A throwaway environment never does.
 *
 * @throws {@link stopFirstError} @throws {@link environmentBusyError} @throws {@link removalIncompleteError}
 */
export async function removeEnvironment(
  host: Host,
  text: string,
  {force, trash}: RemoveOptions & {readonly trash?: TrashBounds},
): Promise<Removal> {
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
      return await removeFound(host, find, trash)
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

async function removeFound(
  host: Host,
  find: () => Promise<Removable>,
  trash: TrashBounds | undefined,
): Promise<Removal> {
  return withLockedEnvironment(host.paths, 'exclusive', find, async (found) => {
    const {name, files, identity} = found
    const isThrowaway = (await readMark(host.paths, name)) !== undefined
    if (trash !== undefined && !isThrowaway) return {name, kept: await moveToTrash(host, found, trash)}
    await dropMemory(files.run)
    const layers = await layersIn(files)
    const leftover = {kind: 'removed', identity, name} as const
    const folder = leftoverFolder(host.paths, leftover)
    await withReserve(host.paths, () => rename(files.folder, folder))
    await deleteWithLayers(host, {leftover: {...leftover, folder}, layers})
    return {name, kept: undefined}
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
