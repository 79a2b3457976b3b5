import * as v from 'valibot'
import {UsageError} from '../errors.js'
import {
  oneOfField,
  parseRecordText,
  type RecordFormat,
  type RecordOf,
  recordObject,
  requireRecordFile,
  timeField,
  unreadableBy,
  writeRecordFile,
} from '../host/records.js'
import {historyUnreadableError} from './errors.js'
import {type LayerId, layerIdField} from './layers.js'

/** From the bottom upwards; the lowest layer is that of an image. */
const layersField = v.tupleWithRest([layerIdField], layerIdField)

const snapshotSchema = recordObject({
  label: v.string(),
  createdAt: timeField,
  /**
   * - `manual`: the user asked for it.
   * - `automatic`: the state before the environment was started.
   * - `replaced`: the state that a restore replaced.
   * - `initial`: the image, with the environment's personal files; one at most.
   * - `cloned`: the state of another environment, with this environment's personal files.
   */
  kind: oneOfField(['manual', 'automatic', 'replaced', 'initial', 'cloned']),
  layers: layersField,
  /** Label of the snapshot that this state came from. */
  after: v.exactOptional(v.string()),
  /** The environment's name at that time, which some of its files contain; unknown if missing. */
  name: v.exactOptional(v.string()),
  /** Set for the state that the environment was created or cloned with, when the user made a snapshot of it. */
  isStart: v.exactOptional(v.boolean()),
  /** The key of a layer that `envs up` made, which this state ends with: an environment that needs the same layer is made of these. */
  projectKey: v.exactOptional(v.string()),
})

export const historySchema = recordObject({
  /** From the bottom, the image's layer, upwards; read-only. */
  layers: layersField,
  /** Written to while the environment runs. */
  upper: layerIdField,
  /** Oldest first; labels are unique. */
  snapshots: v.array(snapshotSchema),
  /** Label of the snapshot that the present state came from; missing before the first snapshot. */
  after: v.exactOptional(v.string()),
  /** Labels of the states that `undo` replaced, the last one at the end; missing when there is nothing to redo. */
  undone: v.exactOptional(v.array(v.string())),
})

/**
 * The layers of an environment, and its snapshots.
 *
 * A snapshot makes the upper layer one of the layers below a new one. So each change is one write of this
 * file, regardless of the size of the layers.
 */
export type History = RecordOf<typeof historySchema>

export type Layers = RecordOf<typeof layersField>

export type Snapshot = RecordOf<typeof snapshotSchema>

/** The time of a change to a history, and the empty layer that becomes the upper one. */
export type Step = {readonly now: Date; readonly fresh: LayerId}

type Naming = Pick<Snapshot, 'label' | 'kind' | 'name' | 'isStart' | 'projectKey'>

/** Returns the history of a new environment: an upper layer on the layer of its image. */
export function newHistory(base: LayerId, upper: LayerId): History {
  return {layers: [base], upper, snapshots: []}
}

/** Adds a snapshot: the upper layer becomes a lower one, below an empty one. */
export function withSnapshot(history: History, naming: Naming, {now, fresh}: Step): History {
  const layers: Layers = [...history.layers, history.upper]
  return {...withNamed(history, naming, {now, layers}), layers, upper: fresh}
}

/** Names the state of the layers below an empty upper layer. */
export function withNamed(
  history: History,
  naming: Naming,
  {now, layers = history.layers}: {now: Date; layers?: Layers},
): History {
  const snapshot: Snapshot = {...naming, createdAt: now, layers, ...predecessorField(history.after)}
  return {...history, snapshots: [...history.snapshots, snapshot], after: naming.label}
}

/**
 * Adds a snapshot of a running environment, whose upper layer could only be copied.
 *
 * @param before - The history at the time of the copy; it may have changed since.
 */
export function withCopiedSnapshot(
  history: History,
  naming: Naming,
  {now, copy, before = history}: {now: Date; copy: LayerId; before?: History},
): History {
  return withNamed(history, naming, {now, layers: [...before.layers, copy]})
}

/**
 * Restores a snapshot; the replaced state becomes a snapshot, unless there is an equal one.
 *
 * @param target - A snapshot of the history, or a new one.
 * @param naming - Label of the replaced state.
 * @param isUpperEmpty - Whether the upper layer contains no changes.
 */
export function withRestored(
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
    ...predecessorField(history.after),
  }
  const snapshots = history.snapshots.some(({label}) => label === target.label)
    ? history.snapshots.map((each) => (each.label === target.label ? target : each))
    : [...history.snapshots, target]
  return {
    ...history,
    layers: target.layers,
    upper: fresh,
    snapshots: isKept ? snapshots : [...snapshots, kept],
    after: target.label,
  }
}

/** Returns the history with the states that `redo` can restore, the next one at the end; without those that are gone. */
export function withUndone({undone: _, ...history}: History, labels: readonly string[]): History {
  const undone = labels.filter((label) => findSnapshot(history, label) !== undefined)
  return undone.length === 0 ? history : {...history, undone}
}

/** Returns the layers of the present state. */
export function presentLayers({layers, upper}: History, {isUpperEmpty}: {isUpperEmpty: boolean}): Layers {
  return isUpperEmpty ? layers : [...layers, upper]
}

/** Returns the snapshots that the present state came from, the nearest first. */
export function ancestors(history: History): Snapshot[] {
  const found: Snapshot[] = []
  let point = history.after === undefined ? undefined : findSnapshot(history, history.after)
  // A damaged file may contain a cycle.
  while (point !== undefined && !found.includes(point)) {
    found.push(point)
    point = point.after === undefined ? undefined : findSnapshot(history, point.after)
  }
  return found
}

/** Returns the layer right below the upper one. */
export function topLayer([base, ...others]: Layers): LayerId {
  return others.at(-1) ?? base
}

export function findSnapshot({snapshots}: History, label: string): Snapshot | undefined {
  return snapshots.find((each) => each.label === label)
}

/** Removes snapshots; states that came from them now come from their predecessors. */
export function withoutSnapshots(history: History, labels: ReadonlySet<string>): History {
  const {after, ...others} = history
  return {
    ...others,
    snapshots: history.snapshots
      .filter(({label}) => !labels.has(label))
      .map(({after: before, ...each}) => ({
        ...each,
        ...predecessorField(remaining(history, before, labels)),
      })),
    ...predecessorField(remaining(history, after, labels)),
  }
}

function remaining(
  history: History,
  label: string | undefined,
  gone: ReadonlySet<string>,
): string | undefined {
  let at = label
  // Bounded by the number of snapshots: a damaged file may contain a cycle.
  for (const _ of history.snapshots) {
    if (at === undefined || !gone.has(at)) return at
    at = findSnapshot(history, at)?.after
  }
  return undefined
}

function predecessorField(after: string | undefined): {after?: string} {
  return after === undefined ? {} : {after}
}

/** Returns every layer that the history needs. */
export function layersOf({layers, upper, snapshots}: History): ReadonlySet<LayerId> {
  return new Set([...layers, upper, ...snapshots.flatMap((snapshot) => snapshot.layers)])
}

/** Returns whether two stacks have the same layers in the same order. */
export function sameLayers(a: readonly LayerId[], b: readonly LayerId[]): boolean {
  return a.length === b.length && a.every((layer, index) => layer === b[index])
}

const HISTORY_FORMAT: RecordFormat<typeof historySchema> = {
  schema: historySchema,
  // A thousand snapshots of a hundred layers each; retention removes them long before.
  maxBytes: 4 * 2 ** 20,
  indent: 1,
  unreadable: unreadableBy(historyUnreadableError),
}

/** Writes the history by one rename: before it the old state is valid, after it the new one. */
export async function writeHistory(
  path: string,
  history: History,
  options: {readonly isSynced?: boolean} = {},
): Promise<void> {
  await writeRecordFile(path, history, {...HISTORY_FORMAT, ...options})
}

/** Reads a history. @throws {historyUnreadableError} @throws {NodeJS.ErrnoException} ENOENT when there is none. */
export async function readHistory(path: string): Promise<History> {
  return requireRecordFile(path, HISTORY_FORMAT)
}

/** Parses a history. @param path - For the error message only. @throws {historyUnreadableError} */
export function parseHistory(text: string, path: string): History {
  return parseRecordText(text, path, HISTORY_FORMAT)
}

/** Automatic snapshots that stay regardless of their age. */
const NEWEST = 10
/** Within this age, one automatic snapshot of each day stays. */
const DAYS = 7

const DAY_MS = 86_400_000

/**
 * Applies retention: removes automatic snapshots that are close together or old. Keeps manual ones, and
 * states that a restore replaced.
 */
export function applyRetention(history: History, now: Date): History {
  const automatic = history.snapshots.filter(({kind}) => kind === 'automatic').reverse()
  const kept = new Set<string>(automatic.slice(0, NEWEST).map(({label}) => label))
  const days = new Set<string>()
  for (const {label, createdAt} of automatic.slice(NEWEST)) {
    const day = createdAt.toDateString()
    if (now.getTime() - createdAt.getTime() > DAYS * DAY_MS || days.has(day)) continue
    days.add(day)
    kept.add(label)
  }
  const gone = automatic.map(({label}) => label).filter((label) => !kept.has(label))
  return gone.length === 0 ? history : withoutSnapshots(history, new Set(gone))
}

/** A word on a command line that can't be an option, and fits a column. */
const LABEL_FORM = /^[a-z0-9][a-z0-9_.-]{0,62}$/

/** Checks the label of a snapshot. @throws {UsageError} */
export function parseLabel(text: string): string {
  if (LABEL_FORM.test(text)) return text
  throw new UsageError(`"${text}" is not a valid label for a snapshot.`, [
    'Use 1 to 63 characters of a-z, 0-9, dot, dash and underscore; begin with a letter or a digit.',
  ])
}

/** Returns a label with the local time: `auto-20260102-120000`; with a number if that exists. */
export function timeLabel({snapshots}: Pick<History, 'snapshots'>, now: Date, prefix = ''): string {
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(twoDigits).join('')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(twoDigits).join('')
  return freeLabel({snapshots}, `${prefix}${date}-${time}`)
}

/** Returns the label, or the label with the first free number. */
export function freeLabel({snapshots}: Pick<History, 'snapshots'>, wanted: string): string {
  const taken = new Set(snapshots.map(({label}) => label))
  let label = wanted
  for (let number = 2; taken.has(label); number++) label = `${wanted}-${number}`
  return label
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
