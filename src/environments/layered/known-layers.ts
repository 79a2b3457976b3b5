import {isErrno} from '../../host/errno.js'
import type {Paths} from '../../host/paths.js'
import {environmentFiles, filesIn, listNames, listRemoved} from '../../store/environments.js'
import {HistoryUnreadableError} from '../../store/errors.js'
import {readHistory, type Snapshot} from '../../store/history.js'
import {isLayerLost} from '../../store/integrity/lost-layers.js'
import {type EnvironmentRecord, readRecord} from '../../store/record.js'

/** A state that ends with a layer of a project, in the history of some environment. */
export type KnownState = {
  readonly snapshot: Snapshot
  /** Of the environment that has it. */
  readonly record: EnvironmentRecord
  readonly ledger: string
}

/**
 * Finds the state of the highest layer that the store has: in an environment, or in one that was removed and can be recovered.
 *
 * A caller that builds on the state holds the lock of the layers, so that none of them is removed.
 *
 * @param keys - Of the layers of a project, the lowest first.
 * @returns The state, and the index of its key.
 */
export async function findKnownState(
  paths: Paths,
  keys: readonly string[],
): Promise<(KnownState & {readonly index: number}) | undefined> {
  let best: (KnownState & {readonly index: number}) | undefined
  for (const files of await allFiles(paths)) {
    const history = await readHistory(files.history).catch(unlessUnknown)
    for (const snapshot of history?.snapshots ?? []) {
      const index = snapshot.projectKey === undefined ? -1 : keys.indexOf(snapshot.projectKey)
      if (index <= (best?.index ?? -1)) continue
      if (snapshot.layers.some((id) => isLayerLost(paths.layers, id))) continue
      const record = await readRecord(files.record)
      if (record !== undefined) best = {snapshot, record, ledger: files.ledger, index}
    }
  }
  return best
}

async function allFiles(paths: Paths) {
  const names = await listNames(paths)
  return [
    ...names.map((name) => environmentFiles(paths, name)),
    ...listRemoved(paths).map(({folder}) => filesIn(folder)),
  ]
}

function unlessUnknown(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT') && !(error instanceof HistoryUnreadableError)) throw error
}
