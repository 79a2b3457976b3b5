import {setTimeout as sleep} from 'node:timers/promises'
import {ignoring, isErrno, unlessErrno} from '../host/errno.js'
import type {LockHolder} from '../host/errors.js'
import type {Host} from '../host/host.js'
import {isLockFree, type Lock, lockHolders, takeLock} from '../host/locks.js'
import {sweepImages} from '../images/cache/remove.js'
import {anchorFiles, readLiveAnchor} from '../sandbox/anchor-state.js'
import {type EnvironmentName, environmentFiles, listNames, repairRunFolder} from '../store/environments.js'
import {findLayerLeftovers, listLeftovers, sweepLayers, sweepLeftovers} from '../store/gc.js'
import {sweepPackages} from '../store/package-cache.js'
import {sweepTrash} from '../store/trash.js'
import type {RepairResult} from './doctor/results.js'
import {sweepExports} from './export/abandoned.js'
import {sweepTries} from './try/keep.js'
import {listTries} from './try/tries.js'

/** Leftovers of killed commands and processes in the store. */
export type StoreLeftovers = {
  /** Folders of environments whose creation or removal was interrupted. */
  readonly folders: number
  /** Layers that no environment uses, or whose creation was interrupted. */
  readonly layers: number
  /** Environments that can't start, because orphaned processes hold their liveness lock. */
  readonly orphans: readonly Orphans[]
}

/** The result of a repair. */
export type Repair = RepairResult

/** The leftovers that were removed. */
export type Swept = StoreLeftovers & {
  /** Number of removed throwaway environments. */
  readonly tries: number
}

/** Finds the leftovers that {@link sweepStore} would remove. */
export async function findStoreLeftovers(host: Host): Promise<StoreLeftovers> {
  const orphans = await findOrphans(host)
  return {
    folders: (await listLeftovers(host)).length,
    layers: (await findLayerLeftovers(host)).length,
    orphans,
  }
}

/**
 * Removes the leftovers of killed commands, and kills orphaned processes that keep an environment from starting. Keeps
 * everything that a running command or environment uses.
 *
 * Keeps lock files as well: after the removal of a file that another process waits for, two processes could hold the lock.
 */
export async function sweepStore(host: Host): Promise<Swept> {
  const orphans = await endOrphans(host)
  const triesBefore = (await listTries(host.paths)).length
  await sweepTries(host)
  const triesLeft = (await listTries(host.paths)).length
  await sweepTrash(host)
  await sweepExports(host)
  const folders = (await sweepLeftovers(host)).length
  const layersBefore = (await findLayerLeftovers(host)).length
  await sweepLayers(host)
  const layersLeft = layersBefore === 0 ? 0 : (await findLayerLeftovers(host)).length
  await sweepPackages(host)
  await sweepImages(host.paths.images, host.now())
  const layers = Math.max(0, layersBefore - layersLeft)
  return {orphans, folders, layers, tries: Math.max(0, triesBefore - triesLeft)}
}

/** An environment whose first process is gone, and that can't start because orphaned processes hold its liveness lock. */
export type Orphans = {
  readonly name: EnvironmentName
  /** Processes that hold the lock; none where they are invisible, for example on another machine that shares the folder. */
  readonly holders: readonly LockHolder[]
}

/** Time that killed processes have to release the lock. */
const RELEASE_TIMEOUT_MS = 2000

/** Finds the orphans of every environment that no session and no command uses. */
async function findOrphans(host: Pick<Host, 'paths'>): Promise<Orphans[]> {
  const found: Orphans[] = []
  for (const name of await listNames(host.paths)) {
    const orphans = await withUnusedEnvironment(host, name, () => orphansOf(host, name))
    if (orphans !== undefined) found.push(orphans)
  }
  return found
}

/**
 * Kills the orphaned processes of environments whose first process is gone.
 *
 * @returns The orphans of environments that can start again.
 */
async function endOrphans(host: Pick<Host, 'paths'>): Promise<Orphans[]> {
  const ended: Orphans[] = []
  for (const {name} of await findOrphans(host)) {
    const gone = await withUnusedEnvironment(host, name, async () => {
      const orphans = await orphansOf(host, name)
      if (orphans === undefined) return undefined
      for (const {pid} of orphans.holders) kill(pid)
      return (await waitUntilFree(livenessOf(host, name))) ? orphans : undefined
    })
    if (gone !== undefined) ended.push(gone)
  }
  return ended
}

/**
 * Calls `work` under the exclusive lock of an unused environment, so that no other command starts it.
 *
 * @returns undefined when the environment is in use, or its files can't be read: the caller continues with the others.
 */
async function withUnusedEnvironment<Result>(
  {paths}: Pick<Host, 'paths'>,
  name: EnvironmentName,
  work: () => Promise<Result | undefined>,
): Promise<Result | undefined> {
  const files = environmentFiles(paths, name)
  let lock: Lock | undefined
  try {
    repairRunFolder(files)
    lock = await takeLock(files.lock, {mode: 'exclusive', waitMs: 0})
    if (lock === undefined) return undefined
    return await work()
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  } finally {
    lock?.release()
  }
}

async function orphansOf({paths}: Pick<Host, 'paths'>, name: EnvironmentName): Promise<Orphans | undefined> {
  const {run} = environmentFiles(paths, name)
  if (readLiveAnchor(run) !== undefined) return undefined
  const {liveness} = anchorFiles(run)
  if (await isFree(liveness)) return undefined
  return {name, holders: await lockHolders(liveness)}
}

function livenessOf({paths}: Pick<Host, 'paths'>, name: EnvironmentName): string {
  return anchorFiles(environmentFiles(paths, name).run).liveness
}

async function isFree(path: string): Promise<boolean> {
  return (await isLockFree(path).catch(ignoring('ENOENT'))) ?? true
}

async function waitUntilFree(path: string): Promise<boolean> {
  const begun = Date.now()
  while (!(await isFree(path))) {
    if (Date.now() - begun > RELEASE_TIMEOUT_MS) return false
    await sleep(20)
  }
  return true
}

function kill(pid: number): void {
  unlessErrno(() => process.kill(pid, 'SIGKILL'), 'ESRCH', 'EPERM')
}
