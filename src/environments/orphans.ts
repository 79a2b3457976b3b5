import {setTimeout as sleep} from 'node:timers/promises'
import {ignoring, isErrno, unlessErrno} from '../host/errno.js'
import type {LockHolder} from '../host/errors.js'
import {isLockFree, type Lock, lockHolders, takeLock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import {anchorFiles, readLiveAnchor} from '../sandbox/anchor-state.js'
import type {EnvironmentName} from './name.js'
import {mendRunFolder} from './run-folder.js'
import {environmentFiles, listNames} from './store.js'

/** An environment whose first process is gone, and that can't be started anew: something has its liveness lock still. */
export type Orphans = {
  readonly name: EnvironmentName
  /** Who has it, with whom the environment ends; none when they can't be seen from here, as on another machine that shares the folder. */
  readonly holders: readonly LockHolder[]
}

/** How long processes that were ended may take to be gone. */
const GONE_WITHIN_MS = 2000

/** Looks at every environment that no session and no command uses. */
export async function findOrphans(host: Pick<Host, 'paths'>): Promise<Orphans[]> {
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
export async function endOrphans(host: Pick<Host, 'paths'>): Promise<Orphans[]> {
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
    mendRunFolder(files)
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
