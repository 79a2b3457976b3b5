import {mkdir} from 'node:fs/promises'
import {syncFileSystem} from '../host/file-system-sync.js'
import type {Host} from '../host/host.js'
import {findPerl} from '../host/script.js'
import type {History} from '../storage/history.js'
import {layerFiles} from '../storage/layer-files.js'
import {type LayerId, newLayerId} from '../storage/layer-id.js'
import {mergeLayers} from '../storage/squash.js'
import {planSquash, type Run, withSquashed} from '../storage/squash-plan.js'
import {mostLayers} from '../storage/stack-limit.js'
import {removeLayerFolder} from './layer-folders.js'
import {holdLayers} from './layer-locks.js'
import {tooManySnapshotsError} from './snapshot-errors.js'
import type {Environment} from './store.js'
import {rootProcess} from './toolbox.js'

type Subject = Pick<Environment, 'name' | 'record'>

/**
 * The history with a stack that can be mounted: neighbouring layers of a deep one are merged, into new ones that nothing
 * names until what is returned is written. To be called with the environment at rest.
 *
 * @param isSynced - Whether the new layers are on the disk afterwards.
 * @throws {{@link tooManySnapshotsError} @throws {@link squashFailedError} @throws {LayerSpaceError} @throws {@link layersBusyError}
 */
export async function withinLimit(
  host: Host,
  environment: Subject,
  {history, isSynced}: {history: History; isSynced: boolean},
): Promise<History> {
  const most = mostLayers(host.paths.layers, history.upper)
  if (history.layers.length <= most) return history
  // So far below the limit that it is not met again at once.
  const plan = planSquash(history, Math.floor((most * 2) / 3)) ?? planSquash(history, most)
  const perl = findPerl(host)
  if (plan === undefined || perl === undefined)
    throw tooManySnapshotsError({name: environment.name, removals: removals(history)})
  const held = await holdLayers(host.paths)
  const made: LayerId[] = []
  try {
    let merged = plan.history
    for (const run of plan.runs) {
      const into = newLayerId(environment.record.identity)
      made.push(into)
      await merge(host, environment, {run, into, perl})
      merged = withSquashed(merged, run, into)
    }
    if (isSynced) await syncFileSystem(host.paths.layers)
    return merged
  } catch (error) {
    for (const id of made) await removeLayer(host, environment, id)
    throw error
  } finally {
    held.release()
  }
}

/** The options that remove the oldest snapshots which the user made. */
function removals({snapshots}: History): string {
  const oldest = snapshots.filter(({kind}) => kind !== 'automatic').slice(0, 3)
  return oldest.map(({label}) => `--remove ${label}`).join(' ') || '--remove LABEL'
}

async function merge(
  host: Host,
  {record}: Subject,
  {run, into, perl}: {run: Run; into: LayerId; perl: string},
): Promise<void> {
  const {layers} = host.paths
  await mkdir(layerFiles(layers, into).folder, {mode: 0o700})
  const {prefix, environment} = await rootProcess(host, record.identity)
  const {architecture} = host
  await mergeLayers({perl, architecture, prefix, environment}, {layers, run, into})
}

async function removeLayer(host: Host, {record}: Subject, id: LayerId): Promise<void> {
  const {folder} = layerFiles(host.paths.layers, id)
  await removeLayerFolder(host, {identity: record.identity, folder})
}
