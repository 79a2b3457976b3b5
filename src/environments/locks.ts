import {describeHolders} from '../host/errors.js'
import {type Lock, type LockMode, lockDescriptor, lockHolders, openLockFile} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import type {Paths} from '../host/paths.js'
import {environmentBusyError} from './errors.js'
import type {EnvironmentName} from './name.js'
import {environmentFiles} from './store.js'

/** Long enough for a create or a rename to end, short enough that a person still waits. */
const WAIT_MS = 3000

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
  if (await lockDescriptor(lock.fd, {mode, waitMs: WAIT_MS})) return
  throw environmentBusyError({
    name,
    holders: describeHolders(await lockHolders(environmentFiles(paths, name).lock)),
  })
}
