import {randomBytes} from 'node:crypto'
import {copyFile, mkdir} from 'node:fs/promises'
import {errnoOf} from '../errors.js'
import type {Host} from '../host/host.js'
import {newHistory} from '../storage/history.js'
import {writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {identityOf, type LayerId, newLayerId} from '../storage/layer-id.js'
import {makeUpper} from '../storage/layer-store.js'
import type {ImageLayer} from './image-layer.js'
import {layerLedger} from './layer-folders.js'
import type {EnvironmentName} from './name.js'
import {writePersonalFiles} from './personal-files.js'
import type {filesIn} from './store.js'

type Place = Pick<ReturnType<typeof filesIn>, 'folder' | 'history' | 'ledger'>

/**
 * Puts an empty layer over an image's, with the files that are the environment's own: all a new environment needs.
 *
 * @returns The new layer; to be removed if the environment does not come to be.
 */
export async function stackOn(
  {paths}: Pick<Host, 'paths'>,
  {id, record}: ImageLayer,
  {folder, history, ledger, name, isSynced}: Place & {name: EnvironmentName; isSynced: boolean},
): Promise<LayerId> {
  const upper = newLayerId(identityOf(id))
  await makeUpper(paths.layers, upper, {below: id})
  const machineId = randomBytes(16).toString('hex')
  writePersonalFiles(layerFiles(paths.layers, upper).tree, record.personal, {name, machineId, isSynced})
  await mkdir(folder, {mode: 0o700})
  await copyFile(layerLedger(layerFiles(paths.layers, id).folder), ledger).catch(unlessMissing)
  await writeHistory(history, newHistory(id, upper))
  return upper
}

function unlessMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error
}
