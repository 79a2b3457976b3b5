import {join} from 'node:path'
import {describeHolders} from '../host/errors.js'
import {makeFolders} from '../host/files.js'
import {type Lock, type LockMode, lockDescriptor, lockHolders, openLockFile, takeLock} from '../host/locks.js'
import type {Paths} from '../host/paths.js'
import {type Environment, type EnvironmentName, environmentFiles} from './environments.js'
import {environmentBusyError} from './errors.js'
import {layersBusyError} from './snapshot-errors.js'

/** Long enough for a create or a rename to end, short enough that a person still waits. */
const ENVIRONMENT_WAIT_MS = 3000

/**
 * Takes an environment's lock: shared for sessions, exclusive for what makes, moves or removes it.
 *
 * @throws {@link environmentBusyError} After a moment, naming who has it.
 */
export async function lockEnvironment(paths: Paths, name: EnvironmentName, mode: LockMode): Promise<Lock> {
  const lock = await openEnvironmentLock(paths, name)
  try {
    await waitForLock(paths, name, lock, mode)
    return lock
  } catch (error) {
    lock.release()
    throw error
  }
}

/**
 * Finds an environment, takes its lock, and finds it again: another command may have removed or changed it meanwhile.
 *
 * @throws As `find` and {@link lockEnvironment}.
 */
export async function withLockedEnvironment<Found extends {readonly name: EnvironmentName}, Result>(
  paths: Paths,
  mode: LockMode,
  find: () => Promise<Found>,
  work: (environment: Found, lock: Lock) => Promise<Result>,
): Promise<Result> {
  const lock = await lockEnvironment(paths, (await find()).name, mode)
  try {
    return await work(await find(), lock)
  } finally {
    lock.release()
  }
}

/** Opens the lock without taking it, for a session that takes it on the way into the guest. */
export async function openEnvironmentLock(paths: Paths, name: EnvironmentName): Promise<Lock> {
  await makeFolders(paths.locks, {mode: 0o700})
  return openLockFile(environmentFiles(paths, name).lock)
}

/** @throws {@link environmentBusyError} */
export async function waitForLock(
  paths: Paths,
  name: EnvironmentName,
  lock: Lock,
  mode: LockMode,
): Promise<void> {
  if (await lockDescriptor(lock.fd, {mode, waitMs: ENVIRONMENT_WAIT_MS})) return
  throw environmentBusyError({
    name,
    holders: describeHolders(await lockHolders(environmentFiles(paths, name).lock)),
  })
}

/** No environment has such a name. */
const LOCK_FILE = '.layers.lock'
/** Longer than leftovers take to be moved out of the way. */
const LAYERS_WAIT_MS = 10_000

/**
 * Keeps layers that nothing names yet from being taken for leftovers: shared, by whoever makes or reads one.
 *
 * @throws {@link layersBusyError} When somebody tidies up for longer than anybody would.
 */
export async function holdLayers(paths: Paths): Promise<Lock> {
  const lock = await takeLayersLock(paths, 'shared', LAYERS_WAIT_MS)
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

/** As long as a copy of what an environment has written may take. */
const HISTORY_WAIT_MS = 60_000

/**
 * For those who change the history of an environment while others hold its lock too: a start, and what is done to one
 * that runs. Who has the environment's lock alone needs no other.
 *
 * @throws {@link environmentBusyError}
 */
export async function lockHistory({name, files}: Pick<Environment, 'name' | 'files'>): Promise<Lock> {
  await makeFolders(files.run, {mode: 0o700})
  const path = join(files.run, 'history.lock')
  const lock = await takeLock(path, {mode: 'exclusive', waitMs: HISTORY_WAIT_MS})
  if (lock === undefined)
    throw environmentBusyError({name, holders: describeHolders(await lockHolders(path))})
  return lock
}
