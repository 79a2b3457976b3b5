import * as v from 'valibot'
import {oneOfField, type RecordOf, timeField} from '../host/records.js'
import {type LayerId, layerIdField} from './layer-id.js'

/** From the bottom upwards; the lowest is an image's. */
const layersField = v.tupleWithRest([layerIdField], layerIdField)

const snapshotSchema = v.object({
  label: v.string(),
  createdAt: timeField,
  /**
   * - `manual`: somebody asked for it by name.
   * - `automatic`: the state before the environment was started.
   * - `replaced`: what going back replaced.
   * - `initial`: the image, with files of the environment's own; there is one at most.
   * - `cloned`: what another environment was, with files of this one's own.
   */
  kind: oneOfField(['manual', 'automatic', 'replaced', 'initial', 'cloned']),
  layers: layersField,
  /** Label of the snapshot that this state came from. */
  after: v.exactOptional(v.string()),
  /** The environment's name at that time, which stands in files of it; unknown when left out. */
  name: v.exactOptional(v.string()),
})

export const historySchema = v.object({
  /** From the bottom, the image's, upwards; none of them changes any more. */
  layers: layersField,
  /** Written to while the environment runs. */
  upper: layerIdField,
  /** Oldest first; labels are unique. */
  snapshots: v.array(snapshotSchema),
  /** Label of the snapshot that today's state came from; left out before the first. */
  after: v.exactOptional(v.string()),
})

/**
 * What an environment is made of, and what it was made of before.
 *
 * The upper layer is one like the others that still changes: going down under a new one, it is as it is a point in
 * time. So each step of an environment's life is one write of this, whatever the size of its files.
 */
export type History = RecordOf<typeof historySchema>

export type Layers = RecordOf<typeof layersField>

export type Snapshot = RecordOf<typeof snapshotSchema>

/** A moment at which something is done to a history, and the empty layer that becomes its upper one. */
export type Step = {readonly now: Date; readonly fresh: LayerId}

type Naming = Pick<Snapshot, 'label' | 'kind' | 'name'>

export function newHistory(base: LayerId, upper: LayerId): History {
  return {layers: [base], upper, snapshots: []}
}

/** Adds a point in time: what the upper layer holds goes down, under an empty one. */
export function withSnapshot(history: History, naming: Naming, {now, fresh}: Step): History {
  const layers: Layers = [...history.layers, history.upper]
  return {...withNamed(history, naming, {now, layers}), layers, upper: fresh}
}

/** Gives a name to what the layers below the upper one are, which holds nothing. */
export function withNamed(
  history: History,
  naming: Naming,
  {now, layers = history.layers}: {now: Date; layers?: Layers},
): History {
  const snapshot: Snapshot = {...naming, createdAt: now, layers, ...standingOn(history.after)}
  return {...history, snapshots: [...history.snapshots, snapshot], after: naming.label}
}

/**
 * A point in time of which only a copy could be had, for its upper layer is in use.
 *
 * @param before - The history when the copy was made; it may have gone on since.
 */
export function withCopiedSnapshot(
  history: History,
  naming: Naming,
  {now, copy, before = history}: {now: Date; copy: LayerId; before?: History},
): History {
  return withNamed(history, naming, {now, layers: [...before.layers, copy]})
}

/**
 * Goes back to a snapshot; what was there becomes a snapshot of its own, unless one is the same.
 *
 * @param target - One of the history's, or one that is to be.
 * @param naming - Of what is replaced.
 * @param isUpperEmpty - Whether the upper layer holds nothing that has to be kept.
 */
export function wentBackTo(
  history: History,
  target: Snapshot,
  {naming, isUpperEmpty, now, fresh}: Step & {naming: Omit<Naming, 'kind'>; isUpperEmpty: boolean},
): History {
  const replaced = presentLayers(history, {isUpperEmpty})
  const isKept = [target, ...history.snapshots].some(({layers}) => sameLayers(layers, replaced))
  const kept: Snapshot = {
    ...naming,
    kind: 'replaced',
    createdAt: now,
    layers: replaced,
    ...standingOn(history.after),
  }
  const snapshots = history.snapshots.some(({label}) => label === target.label)
    ? history.snapshots.map((each) => (each.label === target.label ? target : each))
    : [...history.snapshots, target]
  return {
    layers: target.layers,
    upper: fresh,
    snapshots: isKept ? snapshots : [...snapshots, kept],
    after: target.label,
  }
}

/** Today's state as layers. */
export function presentLayers({layers, upper}: History, {isUpperEmpty}: {isUpperEmpty: boolean}): Layers {
  return isUpperEmpty ? layers : [...layers, upper]
}

/** The snapshots that today's state came from, the nearest first. */
export function ancestors(history: History): Snapshot[] {
  const found: Snapshot[] = []
  let point = history.after === undefined ? undefined : findSnapshot(history, history.after)
  // A file may say anything, a circle too.
  while (point !== undefined && !found.includes(point)) {
    found.push(point)
    point = point.after === undefined ? undefined : findSnapshot(history, point.after)
  }
  return found
}

/** The layer that lies right below the upper one. */
export function topLayer([base, ...others]: Layers): LayerId {
  return others.at(-1) ?? base
}

export function findSnapshot({snapshots}: History, label: string): Snapshot | undefined {
  return snapshots.find((each) => each.label === label)
}

/** Without these names; what came from them now comes from what they came from. */
export function withoutSnapshots(history: History, labels: ReadonlySet<string>): History {
  const {after, ...others} = history
  return {
    ...others,
    snapshots: history.snapshots
      .filter(({label}) => !labels.has(label))
      .map(({after: before, ...each}) => ({...each, ...standingOn(remaining(history, before, labels))})),
    ...standingOn(remaining(history, after, labels)),
  }
}

function remaining(
  history: History,
  label: string | undefined,
  gone: ReadonlySet<string>,
): string | undefined {
  let at = label
  // As many steps as there are snapshots: a file may say anything.
  for (const _ of history.snapshots) {
    if (at === undefined || !gone.has(at)) return at
    at = findSnapshot(history, at)?.after
  }
  return undefined
}

function standingOn(after: string | undefined): {after?: string} {
  return after === undefined ? {} : {after}
}

/** Every layer that must not go. */
export function layersOf({layers, upper, snapshots}: History): ReadonlySet<LayerId> {
  return new Set([...layers, upper, ...snapshots.flatMap((snapshot) => snapshot.layers)])
}

export function sameLayers(a: readonly LayerId[], b: readonly LayerId[]): boolean {
  return a.length === b.length && a.every((layer, index) => layer === b[index])
}
