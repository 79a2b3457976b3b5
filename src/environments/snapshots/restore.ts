import {randomBytes} from 'node:crypto'
import {existsSync} from 'node:fs'
import {type EnvsError, orNearest} from '../../errors.js'
import {settleMemory} from '../../features/memory-files.js'
import type {Host} from '../../host/host.js'
import {nearestNames} from '../../host/nearest.js'
import {NO_ARCHIVES} from '../../rootfs/fixes/apt-sources.js'
import {CLONE_FIXES, NAME_FIXES} from '../../rootfs/fixes/index.js'
import {applyFixes} from '../../rootfs/worker/api.js'
import {anchorFiles} from '../../sandbox/anchor-state.js'
import {isInUse} from '../../sandbox/processes.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {stopFirstError} from '../../store/errors.js'
import {removeLayerFolder, replaceHistory, sweepLayers} from '../../store/gc.js'
import {
  ancestors,
  findSnapshot,
  freeLabel,
  type History,
  parseLabel,
  presentLayers,
  readHistory,
  type Snapshot,
  sameLayers,
  timeLabel,
  topLayer,
  withRestored,
} from '../../store/history.js'
import {
  identityOf,
  isEmptyLayer,
  type LayerId,
  layerFiles,
  makeUpper,
  newLayerId,
  readLayerRecord,
} from '../../store/layers.js'
import {lockHistory, withLockedEnvironment} from '../../store/locks.js'
import {mergedProcess} from '../../store/mounted-tree.js'
import {noHistoryError, nothingToUndoError, snapshotNotFoundError} from '../../store/snapshot-errors.js'
import {squashToLimit} from '../../store/squash.js'
import {nameFacts, newTreeFacts, writePersonalFiles} from '../create/own-files.js'
import type {WentBackResult} from '../results.js'
import {stopFiles} from '../session/processes.js'

type RestoreOptions = {
  /** Stop it first when it runs. */
  readonly force: boolean
  /** Whether what is made anew is on the disk afterwards. */
  readonly isSynced: boolean
}

/**
 * Goes back, or forward, to a snapshot. What was there is kept as one.
 *
 * @throws {@link snapshotNotFoundError} @throws {TooManySnapshotsError} and as {@link atRest}.
 */
export async function restoreSnapshot(
  host: Host,
  text: string,
  {label, force, isSynced}: RestoreOptions & {label: string},
): Promise<WentBack> {
  const wanted = parseLabel(label)
  return atRest(host, text, {force, command: 'restore'}, (found) => {
    const target = requireSnapshot(found.environment.name, found.history, wanted)
    return goBack(host, found, {target, isSynced})
  })
}

/**
 * Goes back to the state before the last thing that was done; once more, to the one before that.
 *
 * @throws {@link nothingToUndoError} and as {@link restoreSnapshot}.
 */
export async function undo(host: Host, text: string, {force, isSynced}: RestoreOptions): Promise<WentBack> {
  return atRest(host, text, {force, command: 'undo'}, async (found) => {
    const target = await pointBefore(host, found, {isSynced})
    if (target === undefined) throw nothingToUndo(found)
    return goBack(host, found, {target, isSynced})
  })
}

function nothingToUndo({environment: {name}, history}: AtRest): EnvsError {
  const newest = newestReplaced(history)
  return nothingToUndoError(
    {name},
    {
      hints:
        newest === undefined
          ? []
          : [`Go forward to the replaced state: envs restore ${name} ${newest.label}`],
    },
  )
}

/** The nearest state that today's came from and that differs from it; undefined when there is none. */
async function pointBefore(
  host: Host,
  found: AtRest,
  {isSynced}: Pick<RestoreOptions, 'isSynced'>,
): Promise<Snapshot | undefined> {
  const points = ancestors(found.history)
  const before = points.find((point) => !isThere(found, point))
  const oldest = points.at(-1)
  // Before the first start it was as it was created; what somebody gave a name to first is the beginning of the tale.
  if (before !== undefined || (oldest !== undefined && oldest.kind !== 'automatic')) return before
  // A clone that was never started: nothing is known of what it began with but what is there.
  if (oldest === undefined && found.history.layers.length > 1) return undefined
  const initial = await initialPoint(host, found, {isSynced})
  return isThere(found, initial) ? undefined : initial
}

/** Goes back to the image, with new files of the environment's own; as {@link restoreSnapshot}. */
export async function reset(host: Host, text: string, {force, isSynced}: RestoreOptions): Promise<WentBack> {
  return atRest(host, text, {force, command: 'reset'}, async (found) =>
    goBack(host, found, {target: await initialPoint(host, found, {isSynced}), isSynced}),
  )
}

/** @throws {@link snapshotNotFoundError} */
export function requireSnapshot(name: string, history: History, label: string): Snapshot {
  const found = findSnapshot(history, label)
  if (found !== undefined) return found
  const labels = history.snapshots.map((each) => each.label)
  throw snapshotNotFoundError({name, label}, orNearest(nearestNames(label, labels)))
}

function isThere({history, isUpperEmpty}: AtRest, {layers}: Snapshot): boolean {
  return sameLayers(presentLayers(history, {isUpperEmpty}), layers)
}

function newestReplaced({snapshots}: History): Snapshot | undefined {
  return snapshots.findLast(({kind}) => kind === 'replaced')
}

/** An environment with its history, and nobody else who could change either. */
export type AtRest = {
  readonly environment: Environment
  readonly history: History
  /** Whether nothing was written since the last point in time. */
  readonly isUpperEmpty: boolean
}

type Options = {
  /** Stop it first when it runs. */
  readonly force: boolean
  /** The command that takes --force, for the message. */
  readonly command: string
}

/**
 * Does something to the history of an environment that does not run, under its lock.
 *
 * @throws {EnvironmentNotFoundError} @throws {EnvironmentRunningError} @throws {@link environmentBusyError}
 * @throws {@link noHistoryError} @throws {HistoryUnreadableError}
 */
export async function atRest<T>(
  host: Host,
  text: string,
  {force, command}: Options,
  work: (found: AtRest) => Promise<T>,
): Promise<T> {
  const find = async () => {
    const environment = await findWithHistory(host, text)
    const {name, files} = environment
    if (force) await stopFiles(host, files)
    if (await isInUse(files.run)) throw stopFirstError({name, command})
    return environment
  }
  return withLockedEnvironment(host.paths, 'exclusive', find, async (environment) => {
    await settleMemory(host, environment)
    return work(await open(host, environment))
  })
}

/**
 * Does something to the history of an environment that may run, while nobody else changes it.
 *
 * @throws As {@link findWithHistory}. @throws {EnvironmentBusyError}
 */
export async function withSharedHistory<T>(
  host: Pick<Host, 'paths'>,
  text: string,
  work: (environment: Environment) => Promise<T>,
): Promise<T> {
  const find = () => findWithHistory(host, text)
  return withLockedEnvironment(host.paths, 'shared', find, async (environment) => {
    const lock = await lockHistory(environment)
    try {
      return await work(environment)
    } finally {
      lock.release()
    }
  })
}

/** @throws {EnvironmentNotFoundError} @throws {@link noHistoryError} */
export async function findWithHistory(host: Pick<Host, 'paths'>, text: string): Promise<Environment> {
  const environment = await findEnvironment(host.paths, text)
  const {name, record} = environment
  if (record.storage === 'directory') throw noHistoryError({name, image: record.image.name ?? 'IMAGE'})
  return environment
}

async function open(host: Pick<Host, 'paths'>, environment: Environment): Promise<AtRest> {
  const history = await readHistory(environment.files.history)
  const isUpperEmpty = await isEmptyLayer(host.paths.layers, history.upper)
  return {environment, history, isUpperEmpty}
}

/** Where an environment went back to. */
export type WentBack = WentBackResult

/**
 * Makes an environment at rest what it was at a snapshot; what it is now stays as one too.
 *
 * @param target - One of its snapshots, or one that is to be.
 * @param isSynced - Whether what is made anew is on the disk afterwards.
 */
async function goBack(
  host: Host,
  {environment, history, isUpperEmpty}: AtRest,
  {target, isSynced}: {target: Snapshot; isSynced: boolean},
): Promise<WentBack> {
  const {name} = environment
  const now = host.now()
  const fresh = newLayerId(identityOf(history.upper))
  try {
    const named = target.name === name ? target : await withName(host, environment, target)
    await makeUpper(host.paths.layers, fresh, {below: topLayer(named.layers)})
    const naming = {label: timeLabel(history, now, 'kept-'), name}
    const step = withRestored(history, named, {naming, isUpperEmpty, now, fresh})
    const to = await squashToLimit(host, environment, {history: step, isSynced})
    await replaceHistory(host, environment, {from: history, to})
    return {name, label: target.label, createdAt: target.createdAt, ...keptIn(step, history, {isUpperEmpty})}
  } catch (error) {
    // The target may have been made for this.
    await sweepLayers(host, new Set([...target.layers, fresh]))
    throw error
  }
}

function keptIn(
  {snapshots}: History,
  before: History,
  state: {isUpperEmpty: boolean},
): Pick<WentBack, 'kept' | 'isKeptNew'> {
  const present = presentLayers(before, state)
  // None where the target was the present state but for the environment's name.
  const kept = snapshots.find(({layers}) => sameLayers(layers, present))
  return {
    kept: kept?.label ?? before.after ?? '',
    isKeptNew: kept?.kind === 'replaced' && !isIn(before, kept),
  }
}

function isIn({snapshots}: History, {label}: Snapshot): boolean {
  return snapshots.some((each) => each.label === label)
}

/** The snapshot with one more layer, in which the environment's name of today stands where the old one did. */
async function withName(host: Host, environment: Environment, target: Snapshot): Promise<Snapshot> {
  const {name, record} = environment
  const {layers} = host.paths
  const {identity} = record
  const id = newLayerId(identity)
  const {folder} = layerFiles(layers, id)
  await makeUpper(layers, id, {below: topLayer(target.layers)})
  let isNeeded = false
  try {
    const tree = {kind: 'overlay', history: {layers: target.layers, upper: id, snapshots: []}} as const
    const {process, root} = await mergedProcess(host, environment, tree)
    await applyFixes(process, {root, facts: nameFacts(name, identity), only: NAME_FIXES})
    isNeeded = !(await isEmptyLayer(layers, id))
  } finally {
    if (!isNeeded) await removeLayerFolder(host, {identity, folder})
  }
  return {...target, name, layers: isNeeded ? [...target.layers, id] : target.layers}
}

/** What everybody would look for. */
const LABEL = 'initial'

/**
 * The state an environment was created with: the image, and files of the environment's own.
 *
 * @returns The snapshot there is; the present state where nothing has run yet; else one that is to be, of a new layer.
 */
async function initialPoint(host: Host, found: AtRest, {isSynced}: {isSynced: boolean}): Promise<Snapshot> {
  const {environment, history} = found
  const {name, files} = environment
  const known = history.snapshots.find(({kind}) => kind === 'initial')
  if (known !== undefined) return known
  const [base] = history.layers
  const isUntouched = history.layers.length === 1 && !existsSync(anchorFiles(files.run).state)
  const own = isUntouched ? history.upper : await makePersonalLayer(host, found, {base, isSynced})
  return {
    label: freeLabel(history, LABEL),
    kind: 'initial',
    createdAt: environment.record.createdAt,
    layers: [base, own],
    name,
  }
}

async function makePersonalLayer(
  host: Host,
  {environment}: AtRest,
  {base, isSynced}: {base: LayerId; isSynced: boolean},
): Promise<LayerId> {
  const {layers} = host.paths
  const {identity} = environment.record
  const id = newLayerId(identity)
  await makeUpper(layers, id, {below: base})
  try {
    await fill(host, {environment, base, id, isSynced})
    return id
  } catch (error) {
    await removeLayerFolder(host, {identity, folder: layerFiles(layers, id).folder})
    throw error
  }
}

type Layer = Pick<AtRest, 'environment'> & {
  readonly base: LayerId
  readonly id: LayerId
  readonly isSynced: boolean
}

/** By the plan that the image's layer has; else by making it again. */
async function fill(host: Host, {environment, base, id, isSynced}: Layer): Promise<void> {
  const {name, record} = environment
  const {layers} = host.paths
  const image = await readLayerRecord(layerFiles(layers, base).record)
  if (image !== undefined) {
    const machineId = randomBytes(16).toString('hex')
    await writePersonalFiles(layerFiles(layers, id).tree, image.personal, {name, machineId, isSynced})
    return
  }
  const tree = {kind: 'overlay', history: {layers: [base], upper: id, snapshots: []}} as const
  const {process, root} = await mergedProcess(host, environment, tree)
  const facts = newTreeFacts(host, {name, identity: record.identity, archives: NO_ARCHIVES})
  await applyFixes(process, {root, facts, only: CLONE_FIXES})
}
