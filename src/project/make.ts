import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {Creation} from '../environments/create/creation.js'
import type {CreateRequest} from '../environments/create/request.js'
import {findKnownState, type KnownState} from '../environments/layered/known-layers.js'
import {makeOnLayers} from '../environments/layered/on-layers.js'
import {removeEnvironment} from '../environments/remove.js'
import {renameEnvironment} from '../environments/rename.js'
import {stopFiles} from '../environments/session/processes.js'
import {type RunOptions, runInEnvironment} from '../environments/session/run.js'
import {takeSnapshot} from '../environments/snapshots/create.js'
import {claimTryName, noteEnd} from '../environments/try/tries.js'
import {isErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {awaitLock, type Lock, openLockFile} from '../host/locks.js'
import {type EnvironmentName, environmentFiles, parseEnvironmentName} from '../store/environments.js'
import {EnvironmentNotFoundError} from '../store/errors.js'
import {holdLayers} from '../store/locks.js'
import type {ProjectEnvironment} from './environment.js'
import {stepFailedError} from './errors.js'
import type {LayerKey} from './key.js'
import type {ProjectLayer} from './layers.js'
import {prepareWork, type WorkPlace} from './work.js'

/** Time for what a step left behind to end: nothing that it started lives on in the next layer. */
const STOP_GRACE_MS = 2000

export type MakeHooks = Pick<RunOptions, 'onOutput'> & {
  readonly signal: AbortSignal
  /** Called before a layer is made. */
  readonly onLayer: (layer: ProjectLayer) => void
  /** Called while another command makes the same layers. */
  readonly onWait: () => void
  /** Creates the throwaway environment of the image, in steps that the caller shows. */
  readonly runCreation: (creation: Creation) => Promise<void>
}

export type MakeRequest = {
  readonly environment: ProjectEnvironment
  /** With the key of the image, which is that of the first state. */
  readonly baseKey: LayerKey
  readonly layers: readonly ProjectLayer[]
  /** For an environment of the image, under any name. */
  readonly creation: CreateRequest
  readonly epoch: number
  readonly isSynced: boolean
  /** Whether the state in which a layer fails stays as an environment. */
  readonly keepsFailed: boolean
}

/** A throwaway environment whose newest snapshot is the wanted state. The caller must call `end`. */
export type MadeState = {
  readonly name: EnvironmentName
  /** Removes it, unless it has got another name. */
  end(): Promise<void>
}

/**
 * Makes the state of an environment of a project in a throwaway one: from the highest layer that the store has, else from the image.
 * Each layer becomes a snapshot of it.
 *
 * @throws {@link stepFailedError} @throws As `Creation` and `runInEnvironment`.
 */
export async function makeState(host: Host, request: MakeRequest, hooks: MakeHooks): Promise<MadeState> {
  const keys = [request.baseKey, ...request.layers.map(({key}) => key)]
  const making = await lockMaking(host, keys, hooks)
  try {
    const {name, lock} = await claimTryName(host.paths)
    const state = {name, end: () => endTry(host, name, lock)}
    try {
      const done = await begin(host, {...request, name, keys}, hooks)
      for (const layer of request.layers.slice(done)) await makeLayer(host, {...request, name, layer}, hooks)
      return state
    } catch (error) {
      await leave(host, {name, lock, keptAs: request.keepsFailed ? failedName(request.environment) : undefined})
      throw error
    }
  } finally {
    making.release()
  }
}

/** Of two commands that need the same layers, one makes them. */
async function lockMaking(host: Host, keys: readonly LayerKey[], {signal, onWait}: MakeHooks): Promise<Lock> {
  await mkdir(host.paths.locks, {recursive: true, mode: 0o700})
  return awaitLock(openLockFile(join(host.paths.locks, `.up.${keys.at(-1)}.lock`)), {signal, onWait})
}

type Making = MakeRequest & {readonly name: EnvironmentName}

/** Makes the throwaway environment. @returns How many of the layers it has. */
async function begin(
  host: Host,
  {name, keys, creation, baseKey, isSynced, layers}: Making & {readonly keys: readonly LayerKey[]},
  {signal, runCreation}: MakeHooks,
): Promise<number> {
  const held = await holdLayers(host.paths)
  try {
    const known = await findKnownState(host.paths, keys)
    if (known !== undefined) {
      await makeOnLayers(host, {name, state: known satisfies KnownState, isSynced})
      // Its new keys and machine id belong to this state too.
      if (known.index === layers.length)
        await seal(host, name, {key: keys.at(-1) ?? baseKey, isSynced, signal, part: 'own'})
      return known.index
    }
  } finally {
    held.release()
  }
  const made = await Creation.begin(host, {...creation, name, isThrowaway: true, isSynced}, {signal})
  try {
    await runCreation(made)
  } finally {
    await made.close()
  }
  await seal(host, name, {key: baseKey, isSynced, signal})
  return 0
}

async function makeLayer(
  host: Host,
  {name, layer, environment, epoch, isSynced}: Making & {readonly layer: ProjectLayer},
  {signal, onLayer, onOutput}: MakeHooks,
): Promise<void> {
  signal.throwIfAborted()
  onLayer(layer)
  const files = environmentFiles(host.paths, name)
  const place: WorkPlace = {
    root: environment.root,
    inputs: join(files.folder, 'inputs'),
    caches: join(host.paths.cache, 'project-caches'),
    epoch,
  }
  const session = await prepareWork(layer.work, place)
  const wish = {...session, durable: isSynced ? 'auto' : 'never'} as const
  const status = await runInEnvironment(host, name, wish, {onOutput})
  await stopFiles(host, files, {graceMs: STOP_GRACE_MS})
  signal.throwIfAborted()
  if (status !== 0) throw stepFailedError({title: layer.title, name: environment.name, status, failed: failedName(environment)})
  await seal(host, name, {key: layer.key, isSynced, signal})
}

type Seal = {
  readonly key: LayerKey
  readonly isSynced: boolean
  readonly signal: AbortSignal
  /** Set where the history has a snapshot of the key already. */
  readonly part?: 'own'
}

async function seal(host: Host, name: EnvironmentName, {key, part, ...options}: Seal): Promise<void> {
  const label = `up-${key.slice(0, 12)}${part === undefined ? '' : `-${part}`}`
  await takeSnapshot(host, name, {...options, label, projectKey: key})
}

async function endTry(host: Host, name: EnvironmentName, lock: Lock): Promise<void> {
  try {
    await removeEnvironment(host, name, {force: true})
  } catch (error) {
    // It was never published, or has another name by now.
    if (!(error instanceof EnvironmentNotFoundError)) throw error
  } finally {
    lock.release()
  }
}

type Leaving = {
  readonly name: EnvironmentName
  readonly lock: Lock
  /** The name under which the state stays in which a layer failed. */
  readonly keptAs: EnvironmentName | undefined
}

/**
 * Leaves the throwaway environment as one that has ended: the layers that were made are found there for an hour. With a name, the
 * failed state stays as an environment.
 */
async function leave(host: Host, {name, lock, keptAs}: Leaving): Promise<void> {
  const files = environmentFiles(host.paths, name)
  try {
    await stopFiles(host, files, {graceMs: STOP_GRACE_MS})
    await noteEnd(files.folder, host.now())
    if (keptAs === undefined) return
    await removeEnvironment(host, keptAs, {force: true}).catch(unlessMissing)
    await renameEnvironment(host, name, keptAs)
  } catch (error) {
    // It was never published.
    if (!isErrno(error, 'ENOENT')) throw error
  } finally {
    lock.release()
  }
}

/** The name of the environment in which a layer failed. */
export function failedName({name}: Pick<ProjectEnvironment, 'name'>): EnvironmentName {
  return parseEnvironmentName(`${name.slice(0, MOST_NAME_CHARACTERS)}-failed`)
}

/** So that the name with its suffix has at most 63. */
const MOST_NAME_CHARACTERS = 56

function unlessMissing(error: unknown): void {
  if (!(error instanceof EnvironmentNotFoundError)) throw error
}
