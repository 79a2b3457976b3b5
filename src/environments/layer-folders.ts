import {join} from 'node:path'
import type {Host} from '../host/host.js'
import {removeTree} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {layersOf} from '../storage/history.js'
import {readHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {identityOf, type LayerId} from '../storage/layer-id.js'
import {removeEmptyLayer} from '../storage/layer-store.js'
import type {EnvironmentFiles} from './store.js'
import {treeProcess} from './toolbox.js'

/** What the image of a layer has and its tree has not; missing where that is nothing. */
export function layerLedger(folder: string): string {
  return join(folder, 'ledger.jsonl')
}

/** Removes a layer, or what was to become one; nothing happens where there is none. */
export async function removeLayerFolder(
  host: Host,
  {identity, folder}: {identity: Identity; folder: string},
): ReturnType<typeof removeTree> {
  // Mostly one that nothing was written to: it takes no program, and no mapping of ids.
  if (removeEmptyLayer(folder)) return {failures: []}
  return removeTree(await treeProcess(host, identity), folder)
}

/**
 * Removes a layer that was made for an environment's next history, unless that is in force: it may be, though the writing of
 * it failed, for what is renamed into its place is synced then.
 */
export async function removeUnlessNamed(
  host: Host,
  {history}: Pick<EnvironmentFiles, 'history'>,
  id: LayerId,
): Promise<void> {
  if (layersOf(await readHistory(history)).has(id)) return
  const {folder} = layerFiles(host.paths.layers, id)
  await removeLayerFolder(host, {identity: identityOf(id), folder})
}
