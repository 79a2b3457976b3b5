import {join} from 'node:path'
import {describeHolders} from '../host/errors.js'
import {makeFolders} from '../host/files.js'
import {type Lock, type LockMode, lockDescriptor, lockUsers, openLockFile, takeLock} from '../host/locks.js'
import type {Paths} from '../host/paths.js'
import {type Environment, type EnvironmentName, environmentFiles} from './environments.js'
import {environmentBusyError} from './errors.js'
import {layersBusyError} from './snapshot-errors.js'

/** How long a command waits for an environment's lock. */
export type LockPatience = {
  readonly waitMs: number
  readonly signal?: AbortSignal | undefined
  /** Called once if the wait is not over soon. */
  readonly onWait?: ((name: EnvironmentName) => void) | undefined
}

/** Long enough for a create or a rename to end, short enough that a person still waits. */
const USUAL_PATIENCE: LockPatience = {waitMs: 3000}

/**
 * Takes an environment's lock: shared for sessions, exclusive for commands that make, move or remove the environment.
 *
 * @throws {EnvironmentBusyError} After the wait, naming the holders.
 */
export async function lockEnvironment(
  paths: Paths,
  name: EnvironmentName,
  mode: LockMode,
  patience = USUAL_PATIENCE,
): Promise<Lock> {
  const lock = await openEnvironmentLock(paths, name)
  try {
    await waitForLock(paths, name, {lock, mode, ...patience})
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

/** Opens the lock without taking it, for a session that takes it when it joins the guest. */
export async function openEnvironmentLock(paths: Paths, name: EnvironmentName): Promise<Lock> {
  await makeFolders(paths.locks, {mode: 0o700})
  return openLockFile(environmentFiles(paths, name).lock)
}

type LockWait = Partial<LockPatience> & {readonly lock: Lock; readonly mode: LockMode}

/** Time before a waiting command says so: most locks are held for a shorter time. */
const SILENT_MS = 500
/** Interval at which a waiting command checks its abort signal. */
const STEP_MS = 1000

/** Waits for an environment's lock, three seconds by default. @throws {EnvironmentBusyError} */
export async function waitForLock(
  paths: Paths,
  name: EnvironmentName,
  {lock, mode, waitMs = USUAL_PATIENCE.waitMs, signal, onWait}: LockWait,
): Promise<void> {
  const until = performance.now() + waitMs
  for (let stepMs = SILENT_MS, isTold = false; ; stepMs = STEP_MS) {
    const leftMs = Math.max(0, Math.ceil(until - performance.now()))
    if (await lockDescriptor(lock.fd, {mode, waitMs: Math.min(leftMs, stepMs)})) return
    signal?.throwIfAborted()
    if (leftMs <= stepMs) break
    if (!isTold) onWait?.(name)
    isTold = true
  }
  throw environmentBusyError({
    name,
    holders: describeHolders(await lockUsers(environmentFiles(paths, name).lock)),
  })
}

/**
 * Takes the lock of a command that recovers a removed environment: a second one would write another name into the same tree.
 *
 * @param name - Name of the removed environment, for the message.
 * @throws {@link environmentBusyError}
 */
export async function lockTrash(paths: Paths, name: EnvironmentName): Promise<Lock> {
  await makeFolders(paths.locks, {mode: 0o700})
  const path = join(paths.locks, '.trash.lock')
  const lock = await takeLock(path, {mode: 'exclusive', waitMs: USUAL_PATIENCE.waitMs})
  if (lock === undefined) throw environmentBusyError({name, holders: describeHolders(await lockUsers(path))})
  return lock
}

/** No environment has such a name. */
const LOCK_FILE = '.layers.lock'
/** Longer than a garbage collection takes to rename the leftovers. */
const LAYERS_WAIT_MS = 10_000

/**
 * Takes the lock of the layers, shared: a command that makes or reads a layer which no history names yet holds the lock, so that
 * garbage collection does not remove the layer.
 *
 * @throws {@link layersBusyError} When a garbage collection holds the lock for ten seconds.
 */
export async function holdLayers(paths: Paths): Promise<Lock> {
  const lock = await takeLayersLock(paths, 'shared', LAYERS_WAIT_MS)
  if (lock === undefined)
    throw layersBusyError({holders: describeHolders(await lockUsers(join(paths.locks, LOCK_FILE)))})
  return lock
}

/** Takes the lock of the layers, exclusive, for garbage collection; undefined at once when another command holds it. */
export function tryLockLayers(paths: Paths): Promise<Lock | undefined> {
  return takeLayersLock(paths, 'exclusive', 0)
}

async function takeLayersLock(paths: Paths, mode: LockMode, waitMs: number): Promise<Lock | undefined> {
  await makeFolders(paths.locks, {mode: 0o700})
  return takeLock(join(paths.locks, LOCK_FILE), {mode, waitMs})
}

/** Longest that a copy of an upper layer may take. */
const HISTORY_WAIT_MS = 60_000

/**
 * Takes the lock of an environment's history, for commands that change the history under the environment's shared lock: a start,
 * and a snapshot of a running environment. The exclusive lock of the environment suffices without this one.
 *
 * @throws {@link environmentBusyError}
 */
export async function lockHistory({name, files}: Pick<Environment, 'name' | 'files'>): Promise<Lock> {
  await makeFolders(files.run, {mode: 0o700})
  const path = join(files.run, 'history.lock')
  const lock = await takeLock(path, {mode: 'exclusive', waitMs: HISTORY_WAIT_MS})
  if (lock === undefined) throw environmentBusyError({name, holders: describeHolders(await lockUsers(path))})
  return lock
}
