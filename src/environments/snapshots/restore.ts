import {randomBytes} from 'node:crypto'
import {existsSync} from 'node:fs'
import {type EnvsError, orNearest} from '../../errors.js'
import type {Host} from '../../host/host.js'
import {nearestNames} from '../../host/nearest.js'
import {NO_ARCHIVES} from '../../rootfs/fixes/apt-sources.js'
import {CLONE_FIXES, NAME_FIXES} from '../../rootfs/fixes/index.js'
import {applyFixes} from '../../rootfs/worker/api.js'
import {anchorFiles} from '../../sandbox/anchor-state.js'
import type {Environment} from '../../store/environments.js'
import {removeLayerFolder, withNewLayers} from '../../store/gc.js'
import {
  ancestors,
  findSnapshot,
  freeLabel,
  type History,
  parseLabel,
  presentLayers,
  type Snapshot,
  sameLayers,
  timeLabel,
  topLayer,
  withRestored,
  withUndone,
  writeHistory,
} from '../../store/history.js'
import {requireLayers} from '../../store/integrity/lost-layers.js'
import {
  identityOf,
  isEmptyLayer,
  type LayerId,
  layerFiles,
  makeUpper,
  newLayerId,
  readLayerRecord,
} from '../../store/layers.js'
import {mergedProcess} from '../../store/mounted-tree.js'
import {nothingToRedoError, nothingToUndoError, snapshotNotFoundError} from '../../store/snapshot-errors.js'
import {squashToLimit} from '../../store/squash.js'
import {nameFacts, newTreeFacts, writePersonalFiles} from '../create/own-files.js'
import type {RestoreResult} from './results.js'
import {type StoppedEnvironment, withStoppedEnvironment} from './stopped.js'

type RestoreOptions = {
  /** Whether a running environment is stopped first. */
  readonly force: boolean
  /** Whether the new files are synced to the disk. */
  readonly isSynced: boolean
}

/**
 * Restores an older or newer snapshot. Keeps the current state as a snapshot.
 *
 * @throws {@link snapshotNotFoundError} @throws {@link storePathTooLongError} @throws As {@link withStoppedEnvironment}.
 */
export async function restoreSnapshot(
  host: Host,
  text: string,
  {label, force, isSynced}: RestoreOptions & {label: string},
): Promise<Restored> {
  const wanted = parseLabel(label)
  return changeStopped(host, text, {force, command: 'restore'}, (stopped) => {
    const target = requireSnapshot(stopped.environment.name, stopped.history, wanted)
    return applySnapshot(host, stopped, {target, isSynced})
  })
}

/**
 * Restores the state before the last change; a second call restores the state before that.
 *
 * @throws {@link nothingToUndoError} @throws As {@link restoreSnapshot}.
 */
export async function undo(host: Host, text: string, {force, isSynced}: RestoreOptions): Promise<Restored> {
  return changeStopped(host, text, {force, command: 'undo'}, async (stopped) => {
    const target = await findPreviousPoint(host, stopped, {isSynced})
    if (target === undefined) throw explainNothingToUndo(stopped)
    const {undone = []} = stopped.history
    return applySnapshot(host, stopped, {target, isSynced, undone: (kept) => [...undone, kept]})
  })
}

/**
 * Restores the state that the last `undo` replaced; a second call restores the one before. Any other return to a snapshot ends that.
 *
 * @throws {@link nothingToRedoError} @throws As {@link restoreSnapshot}.
 */
export async function redo(host: Host, text: string, {force, isSynced}: RestoreOptions): Promise<Restored> {
  return changeStopped(host, text, {force, command: 'redo'}, (stopped) => {
    const {history, environment} = stopped
    const labels = [...(history.undone ?? [])]
    for (let label = labels.pop(); label !== undefined; label = labels.pop()) {
      const target = findSnapshot(history, label)
      if (target === undefined || isCurrentState(stopped, target)) continue
      return applySnapshot(host, stopped, {target, isSynced, undone: () => labels})
    }
    throw nothingToRedoError({name: environment.name})
  })
}

export type AdoptRequest = RestoreOptions & {
  /** The state to take over, last, and those that led to it. The caller holds the lock of the layers. */
  readonly snapshots: readonly [...Snapshot[], Snapshot]
  /** Beginning of the label of the present state. */
  readonly keptPrefix: string
}

/**
 * Gives an environment the state of another one, which shares its layers from then on, and keeps the present state as a snapshot.
 *
 * @throws As {@link restoreSnapshot}.
 */
export async function adoptSnapshots(
  host: Host,
  text: string,
  {snapshots, keptPrefix, force, isSynced}: AdoptRequest,
): Promise<Restored> {
  return changeStopped(host, text, {force, command: 'up'}, (stopped) => {
    const {history} = stopped
    const target = snapshots.at(-1)
    if (target === undefined) throw new Error('there is no state to take over')
    const isNew = ({label}: Snapshot) => findSnapshot(history, label) === undefined
    const known = {...history, snapshots: [...history.snapshots, ...snapshots.slice(0, -1).filter(isNew)]}
    return applySnapshot(host, {...stopped, history: known}, {target, isSynced, keptPrefix})
  })
}

/** Restores the image, with new personal files of the environment. @throws As {@link restoreSnapshot}. */
export async function reset(host: Host, text: string, {force, isSynced}: RestoreOptions): Promise<Restored> {
  return changeStopped(host, text, {force, command: 'reset'}, async (stopped) =>
    applySnapshot(host, stopped, {target: await findInitialPoint(host, stopped, {isSynced}), isSynced}),
  )
}

/** Calls `work`, which may make layers, with a stopped environment. @throws As {@link withStoppedEnvironment}. */
function changeStopped<T>(
  host: Host,
  text: string,
  options: Parameters<typeof withStoppedEnvironment>[2],
  work: (stopped: StoppedEnvironment) => Promise<T>,
): Promise<T> {
  return withStoppedEnvironment(host, text, options, (stopped) => {
    const {environment, history: before} = stopped
    return withNewLayers(host, {files: environment.files, before}, () => work(stopped))
  })
}

function explainNothingToUndo({environment: {name}, history}: StoppedEnvironment): EnvsError {
  if ((history.undone ?? []).some((label) => findSnapshot(history, label) !== undefined))
    return nothingToUndoError({name}, {hints: [`Go forward to the replaced state: envs redo ${name}`]})
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

/** Returns the nearest ancestor that differs from the current state; undefined when there is none. */
async function findPreviousPoint(
  host: Host,
  stopped: StoppedEnvironment,
  {isSynced}: Pick<RestoreOptions, 'isSynced'>,
): Promise<Snapshot | undefined> {
  const points = ancestors(stopped.history)
  const before = points.find((point) => !isCurrentState(stopped, point))
  const oldest = points.at(-1)
  if (before !== undefined || (oldest !== undefined && isStart(oldest))) return before
  // A clone that was never started has no older state: its layers are its initial state.
  if (oldest === undefined && stopped.history.layers.length > 1) return undefined
  const initial = await findInitialPoint(host, stopped, {isSynced})
  return isCurrentState(stopped, initial) ? undefined : initial
}

/** Returns whether a point is the start of its history: none comes before it. */
function isStart({kind, layers, isStart: isMarked}: Snapshot): boolean {
  if (isMarked === true) return true
  switch (kind) {
    case 'initial':
    case 'cloned':
      return true
    case 'automatic':
      return false
    // Up to version 0.1, the first snapshot of a clone by hand was its start, and has the layers of the source below its own.
    case 'manual':
    case 'replaced':
      return layers.length > 2
  }
}

/** Returns the snapshot with a label. @throws {@link snapshotNotFoundError} With the nearest labels. */
export function requireSnapshot(name: string, history: History, label: string): Snapshot {
  const found = findSnapshot(history, label)
  if (found !== undefined) return found
  const labels = history.snapshots.map((each) => each.label)
  throw snapshotNotFoundError({name, label}, orNearest(nearestNames(label, labels)))
}

function isCurrentState(
  {history, isUpperEmpty, isUpperLost}: StoppedEnvironment,
  {layers}: Snapshot,
): boolean {
  return !isUpperLost && sameLayers(presentLayers(history, {isUpperEmpty}), layers)
}

function newestReplaced({snapshots}: History): Snapshot | undefined {
  return snapshots.findLast(({kind}) => kind === 'replaced')
}

/** The restored snapshot, and the snapshot of the state before. */
export type Restored = RestoreResult

type SnapshotChange = {
  /** One of its snapshots, or a new one that its history does not list yet. */
  readonly target: Snapshot
  /** Whether the new files are synced to the disk. */
  readonly isSynced: boolean
  /** Returns the states that `redo` can restore next, from the label of the replaced state; left out where there are none. */
  readonly undone?: (kept: string) => readonly string[]
  readonly keptPrefix?: string
}

/**
 * Gives a stopped environment the layers of a snapshot, and keeps its current state as a snapshot. The caller holds the lock of the
 * layers.
 */
async function applySnapshot(
  host: Host,
  {environment, history, isUpperEmpty}: StoppedEnvironment,
  {target, isSynced, undone, keptPrefix = 'kept-'}: SnapshotChange,
): Promise<Restored> {
  const {name, files} = environment
  requireLayers({name, paths: host.paths}, target.layers)
  const now = host.now()
  const fresh = newLayerId(identityOf(history.upper))
  const named = target.name === name ? target : await withCurrentName(host, environment, target)
  await makeUpper(host.paths.layers, fresh, {below: topLayer(named.layers)})
  const naming = {label: timeLabel(history, now, keptPrefix), name}
  const restored = withRestored(history, named, {naming, isUpperEmpty, now, fresh})
  const replaced = findKept(restored, history, {isUpperEmpty})
  const step = withUndone(restored, undone?.(replaced.kept) ?? [])
  const to = await squashToLimit(host, environment, {history: step, isSynced})
  await writeHistory(files.history, to)
  return {
    name,
    label: target.label,
    createdAt: target.createdAt,
    ...replaced,
  }
}

function findKept(
  {snapshots}: History,
  before: History,
  state: {isUpperEmpty: boolean},
): Pick<Restored, 'kept' | 'isKeptNew'> {
  const present = presentLayers(before, state)
  // There is none where the target differs from the current state only in the environment's name.
  const kept = snapshots.find(({layers}) => sameLayers(layers, present))
  return {
    kept: kept?.label ?? before.after ?? '',
    isKeptNew: kept?.kind === 'replaced' && !hasLabel(before, kept),
  }
}

function hasLabel({snapshots}: History, {label}: Snapshot): boolean {
  return snapshots.some((each) => each.label === label)
}

/** Returns the snapshot with one more layer, in which the environment's current name replaces the former one. */
async function withCurrentName(host: Host, environment: Environment, target: Snapshot): Promise<Snapshot> {
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

const INITIAL_LABEL = 'initial'

/**
 * Returns the state an environment was created with: the image, and its personal files (name, machine ID).
 *
 * @returns The snapshot `initial`; without one, the current state where nothing has run yet, else a new layer on the image.
 */
async function findInitialPoint(
  host: Host,
  stopped: StoppedEnvironment,
  {isSynced}: {isSynced: boolean},
): Promise<Snapshot> {
  const {environment, history} = stopped
  const {name, files} = environment
  const known = history.snapshots.find(({kind}) => kind === 'initial')
  if (known !== undefined) return known
  const [base] = history.layers
  const isUntouched =
    !stopped.isUpperLost && history.layers.length === 1 && !existsSync(anchorFiles(files.run).state)
  const own = isUntouched ? history.upper : await makePersonalLayer(host, stopped, {base, isSynced})
  return {
    label: freeLabel(history, INITIAL_LABEL),
    kind: 'initial',
    createdAt: environment.record.createdAt,
    layers: [base, own],
    name,
  }
}

async function makePersonalLayer(
  host: Host,
  {environment}: StoppedEnvironment,
  {base, isSynced}: {base: LayerId; isSynced: boolean},
): Promise<LayerId> {
  const {layers} = host.paths
  const {identity} = environment.record
  const id = newLayerId(identity)
  await makeUpper(layers, id, {below: base})
  try {
    await writePersonalLayer(host, {environment, base, id, isSynced})
    return id
  } catch (error) {
    await removeLayerFolder(host, {identity, folder: layerFiles(layers, id).folder})
    throw error
  }
}

type PersonalLayer = Pick<StoppedEnvironment, 'environment'> & {
  readonly base: LayerId
  readonly id: LayerId
  readonly isSynced: boolean
}

/** Writes the personal files that the record of the image's layer lists; without that record, applies the fixes of a clone. */
async function writePersonalLayer(
  host: Host,
  {environment, base, id, isSynced}: PersonalLayer,
): Promise<void> {
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
