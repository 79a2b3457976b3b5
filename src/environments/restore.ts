import {type EnvsError, orNearest} from '../errors.js'
import type {Host} from '../host/host.js'
import {nearestNames} from '../host/nearest.js'
import {
  ancestors,
  findSnapshot,
  type History,
  presentLayers,
  type Snapshot,
  sameLayers,
} from '../storage/history.js'
import {parseLabel} from '../storage/snapshot-label.js'
import {type AtRest, atRest} from './at-rest.js'
import {goBack, type WentBack} from './go-back.js'
import {initialPoint} from './initial-point.js'
import {nothingToUndoError, snapshotNotFoundError} from './snapshot-errors.js'

type Options = {
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
  {label, force, isSynced}: Options & {label: string},
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
export async function undo(host: Host, text: string, {force, isSynced}: Options): Promise<WentBack> {
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
  {isSynced}: Pick<Options, 'isSynced'>,
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
export async function reset(host: Host, text: string, {force, isSynced}: Options): Promise<WentBack> {
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
