import type {Host} from '../../host/host.js'
import {measureTrees} from '../../rootfs/worker/api.js'
import {sweepLayers} from '../../store/gc.js'
import {
  type History,
  layersOf,
  readHistory,
  type Snapshot,
  withoutSnapshots,
  writeHistory,
} from '../../store/history.js'
import {withReserve} from '../../store/integrity/reserve.js'
import {type LayerId, layerFiles} from '../../store/layers.js'
import {rootProcess} from '../../store/tools.js'
import {requireSnapshot} from './restore.js'
import type {SnapshotListResult} from './results.js'
import {findWithHistory, withSharedHistory} from './stopped.js'

export type SnapshotSummary = SnapshotListResult[number]

/** Lists the snapshots of an environment, oldest first. @throws {EnvironmentNotFoundError} @throws {@link noHistoryError} */
export async function listSnapshots(host: Host, text: string): Promise<SnapshotSummary[]> {
  const {files, record} = await findWithHistory(host, text)
  const history = await readHistory(files.history)
  const base = history.layers[0]
  const wanted = [...new Set(history.snapshots.flatMap(({layers}) => layers))].filter((id) => id !== base)
  const trees = wanted.map((id) => layerFiles(host.paths.layers, id).tree)
  const measured =
    trees.length === 0 ? [] : await measureTrees(await rootProcess(host, record.identity), trees)
  const sizes = new Map(wanted.map((id, index) => [id, measured[index] ?? 0]))
  return history.snapshots
    .map((snapshot) => summarize(history, snapshot, (id) => sizes.get(id) ?? 0))
    .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime())
}

function summarize(
  history: History,
  {label, kind, projectKey, createdAt, layers}: Snapshot,
  sizeOf: (id: LayerId) => number,
): SnapshotSummary {
  const others = layersOf(withoutSnapshots(history, new Set([label])))
  const held = layers.filter((id) => !others.has(id))
  const changed = layers.slice(1).at(-1)
  return {
    label,
    kind: projectKey === undefined ? kind : 'project',
    createdAt,
    isLatest: history.after === label,
    changedBytes: changed === undefined ? 0 : sizeOf(changed),
    heldBytes: held.reduce((sum, id) => sum + sizeOf(id), 0),
  }
}

/**
 * Removes snapshots, and the layers that nothing else uses. Removes none unless all of them exist.
 *
 * @returns The labels of the removed snapshots.
 * @throws {@link snapshotNotFoundError} @throws {@link environmentBusyError} @throws As {@link listSnapshots}.
 */
export async function removeSnapshots(
  host: Host,
  text: string,
  labels: readonly string[],
): Promise<string[]> {
  return withSharedHistory(host, text, async ({name, files}) => {
    const history = await readHistory(files.history)
    const removed = new Set(labels.map((label) => requireSnapshot(name, history, label).label))
    await withReserve(host.paths, () => writeHistory(files.history, withoutSnapshots(history, removed)))
    await sweepLayers(host, layersOf(history))
    return [...removed]
  })
}
