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
import {sweepTries} from './try/keep.js'
import {listTries} from './try/tries.js'

/** What killed commands and processes have left in the store. */
export type Remains = {
  /** Folders of environments that were half made, or half removed. */
  readonly folders: number
  /** Layers that no environment names, or that are half made. */
  readonly layers: number
  /** Environments that what is left of them keeps from starting. */
  readonly orphans: readonly Orphans[]
}

/** What was put right. */
export type Repair = Remains & {
  /** Throwaway environments that were taken away. */
  readonly tries: number
}

/** What {@link repairStore} would put right now. */
export async function findRemains(host: Host): Promise<Remains> {
  const orphans = await findOrphans(host)
  return {
    folders: (await listLeftovers(host)).length,
    layers: (await findLayerLeftovers(host)).length,
    orphans,
  }
}

/**
 * Takes away what killed commands left, and ends what keeps an environment from starting. What a running command or
 * environment has stays.
 *
 * Files of locks stay too: one that is taken away while somebody waits for it is two locks from then on.
 */
export async function repairStore(host: Host): Promise<Repair> {
  const orphans = await endOrphans(host)
  const triesBefore = (await listTries(host.paths)).length
  await sweepTries(host)
  const triesLeft = (await listTries(host.paths)).length
  const folders = (await sweepLeftovers(host)).length
  const layersBefore = (await findLayerLeftovers(host)).length
  await sweepLayers(host)
  const layersLeft = layersBefore === 0 ? 0 : (await findLayerLeftovers(host)).length
  await sweepPackages(host)
  await sweepImages(host.paths.images, host.now())
  const layers = Math.max(0, layersBefore - layersLeft)
  return {orphans, folders, layers, tries: Math.max(0, triesBefore - triesLeft)}
}

/** An environment whose first process is gone, and that can't be started anew: something has its liveness lock still. */
export type Orphans = {
  readonly name: EnvironmentName
  /** Who has it, with whom the environment ends; none when they can't be seen from here, as on another machine that shares the folder. */
  readonly holders: readonly LockHolder[]
}

/** How long processes that were ended may take to be gone. */
const GONE_WITHIN_MS = 2000

/** Looks at every environment that no session and no command uses. */
async function findOrphans(host: Pick<Host, 'paths'>): Promise<Orphans[]> {
  const found: Orphans[] = []
  for (const name of await listNames(host.paths)) {
    const orphans = await withQuiet(host, name, () => orphansOf(host, name))
    if (orphans !== undefined) found.push(orphans)
  }
  return found
}

/**
 * Ends what is left of environments whose first process is gone.
 *
 * @returns Those that can be started again.
 */
async function endOrphans(host: Pick<Host, 'paths'>): Promise<Orphans[]> {
  const ended: Orphans[] = []
  for (const {name} of await findOrphans(host)) {
    const gone = await withQuiet(host, name, async () => {
      const orphans = await orphansOf(host, name)
      if (orphans === undefined) return undefined
      for (const {pid} of orphans.holders) kill(pid)
      return (await becomesFree(livenessOf(host, name))) ? orphans : undefined
    })
    if (gone !== undefined) ended.push(gone)
  }
  return ended
}

/**
 * Under the environment's own lock nobody is starting it, or about to.
 *
 * @returns undefined when it is in use, or its files can't be looked at: others are looked after all the same.
 */
async function withQuiet<Result>(
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

async function becomesFree(path: string): Promise<boolean> {
  const begun = Date.now()
  while (!(await isFree(path))) {
    if (Date.now() - begun > GONE_WITHIN_MS) return false
    await sleep(20)
  }
  return true
}

function kill(pid: number): void {
  unlessErrno(() => process.kill(pid, 'SIGKILL'), 'ESRCH', 'EPERM')
}
