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
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {awaitLock, type Lock, openLockFile} from '../host/locks.js'
import {type EnvironmentName, environmentFiles, parseEnvironmentName} from '../store/environments.js'
import {EnvironmentNotFoundError} from '../store/errors.js'
import {holdLayers} from '../store/locks.js'
import {fileId, type ProjectEnvironment} from './environment.js'
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

/** A throwaway environment of the image alone. */
export type BaseState = {readonly name: EnvironmentName; readonly lock: Lock}

/** Creates a throwaway environment of the image, which is fetched or made on the way. The caller hands it to `makeState`. */
export async function makeBase(
  host: Host,
  {creation, isSynced}: Pick<MakeRequest, 'creation' | 'isSynced'>,
  {signal, runCreation}: MakeHooks,
): Promise<BaseState> {
  const {name, lock} = await claimTryName(host.paths)
  try {
    const made = await Creation.begin(host, {...creation, name, isThrowaway: true, isSynced}, {signal})
    try {
      await runCreation(made)
    } finally {
      await made.close()
    }
    return {name, lock}
  } catch (error) {
    lock.release()
    throw error
  }
}

/**
 * Makes the state of an environment of a project in a throwaway one: from the highest layer that the store has, else from the image.
 * Each layer becomes a snapshot of it.
 *
 * @param base - Of the image, if it had to be fetched; else one is made if no layer is known.
 * @throws {@link stepFailedError} @throws As `Creation` and `runInEnvironment`.
 */
export async function makeState(
  host: Host,
  request: MakeRequest,
  {base, hooks}: {readonly base: BaseState | undefined; readonly hooks: MakeHooks},
): Promise<MadeState> {
  const keys = [request.baseKey, ...request.layers.map(({key}) => key)]
  const making = await lockMaking(host, keys, hooks).catch(async (error: unknown) => {
    if (base !== undefined) await endTry(host, base)
    throw error
  })
  try {
    const {name, lock, done} = await begin(host, {...request, base, keys}, hooks)
    try {
      for (const layer of request.layers.slice(done)) await makeLayer(host, {...request, name, layer}, hooks)
      return {name, end: () => endTry(host, {name, lock})}
    } catch (error) {
      const keptAs = request.keepsFailed ? failedName(request.environment) : undefined
      await leave(host, {name, lock, keptAs})
      throw error
    }
  } finally {
    making.release()
  }
}

/** Of two commands that need the same layers, one makes them. */
async function lockMaking(host: Host, keys: readonly LayerKey[], {signal, onWait}: MakeHooks): Promise<Lock> {
  await makeFolders(host.paths.locks, {mode: 0o700})
  return awaitLock(openLockFile(join(host.paths.locks, `.up.${keys.at(-1)}.lock`)), {signal, onWait})
}

type Making = MakeRequest & {readonly name: EnvironmentName}

type Beginning = MakeRequest & {readonly keys: readonly LayerKey[]; readonly base: BaseState | undefined}

/** Begins with the highest layer that the store has. @returns The throwaway environment, and how many of the layers it has. */
async function begin(
  host: Host,
  {base, keys, isSynced, ...request}: Beginning,
  hooks: MakeHooks,
): Promise<BaseState & {readonly done: number}> {
  const held = await holdLayers(host.paths)
  try {
    const state = await findKnownState(host.paths, keys)
    if (state !== undefined && (base === undefined || state.index > 0)) {
      if (base !== undefined) await endTry(host, base)
      return {...(await beginOnLayers(host, {state, isSynced})), done: state.index}
    }
  } finally {
    held.release()
  }
  const made = base ?? (await makeBase(host, {...request, isSynced}, hooks))
  await sealOrEnd(host, made, {key: request.baseKey, isSynced, signal: hooks.signal})
  return {...made, done: 0}
}

async function beginOnLayers(
  host: Host,
  {state, isSynced}: {readonly state: KnownState; readonly isSynced: boolean},
): Promise<BaseState> {
  const claimed = await claimTryName(host.paths)
  try {
    await makeOnLayers(host, {name: claimed.name, state, isSynced})
    return claimed
  } catch (error) {
    claimed.lock.release()
    throw error
  }
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
    // Of this environment alone: a step of another project may have written anything there.
    caches: join(host.paths.cache, 'project-caches', fileId(environment)),
    epoch,
  }
  const session = await prepareWork(layer.work, place)
  const wish = {...session, durable: isSynced ? 'auto' : 'never'} as const
  const status = await runInEnvironment(host, name, wish, {onOutput})
  await stopFiles(host, files, {graceMs: STOP_GRACE_MS})
  signal.throwIfAborted()
  if (status !== 0)
    throw stepFailedError({
      title: layer.title,
      name: environment.name,
      status,
      failed: failedName(environment),
    })
  await seal(host, name, {key: layer.key, isSynced, signal})
}

type Seal = {readonly key: LayerKey; readonly isSynced: boolean; readonly signal: AbortSignal}

/** Makes the present state a layer. */
async function seal(host: Host, name: EnvironmentName, {key, ...options}: Seal): Promise<void> {
  await takeSnapshot(host, name, {...options, label: `up-${key.slice(0, 12)}`, projectKey: key})
}

async function sealOrEnd(host: Host, {name, lock}: BaseState, options: Seal): Promise<void> {
  try {
    await seal(host, name, options)
  } catch (error) {
    await endTry(host, {name, lock})
    throw error
  }
}

/** Removes a throwaway environment, unless it has another name by now. */
export async function endTry(host: Host, {name, lock}: BaseState): Promise<void> {
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
function failedName({name}: Pick<ProjectEnvironment, 'name'>): EnvironmentName {
  return parseEnvironmentName(`${name.slice(0, MOST_NAME_CHARACTERS)}-failed`)
}

/** So that the name with its suffix has at most 63. */
const MOST_NAME_CHARACTERS = 56

function unlessMissing(error: unknown): void {
  if (!(error instanceof EnvironmentNotFoundError)) throw error
}
