import {join} from 'node:path'
import {describeHolders} from '../host/errors.js'
import {type Lock, type LockMode, lockHolders, takeLock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import type {Paths} from '../host/paths.js'
import {layersBusyError} from './snapshot-errors.js'

/** No environment has such a name. */
const LOCK_FILE = '.layers.lock'
/** Longer than leftovers take to be moved out of the way. */
const WAIT_MS = 10_000

/**
 * Keeps layers that nothing names yet from being taken for leftovers: shared, by whoever makes or reads one.
 *
 * @throws {@link layersBusyError} When somebody tidies up for longer than anybody would.
 */
export async function holdLayers(paths: Paths): Promise<Lock> {
  const lock = await takeLayersLock(paths, 'shared', WAIT_MS)
  if (lock === undefined)
    throw layersBusyError({holders: describeHolders(await lockHolders(join(paths.locks, LOCK_FILE)))})
  return lock
}

/** For the one who takes leftovers away, and waits for nobody. */
export function tryLockLayers(paths: Paths): Promise<Lock | undefined> {
  return takeLayersLock(paths, 'exclusive', 0)
}

async function takeLayersLock(paths: Paths, mode: LockMode, waitMs: number): Promise<Lock | undefined> {
  await makeFolders(paths.locks, {mode: 0o700})
  return takeLock(join(paths.locks, LOCK_FILE), {mode, waitMs})
}
