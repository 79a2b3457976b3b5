import {randomBytes} from 'node:crypto'
import {copyFileSync, mkdirSync} from 'node:fs'
import {unlessErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {newHistory} from '../storage/history.js'
import {writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import type {LayerId} from '../storage/layer-id.js'
import {makeUpper} from '../storage/layer-store.js'
import type {ImageLayer} from './image-layer.js'
import {layerLedger} from './layer-folders.js'
import type {EnvironmentName} from './name.js'
import {writePersonalFiles} from './personal-files.js'
import type {filesIn} from './store.js'

type Place = Pick<ReturnType<typeof filesIn>, 'folder' | 'history' | 'ledger'> & {readonly upper: LayerId}

/**
 * Puts an empty layer over an image's, with the files that are the environment's own: all a new environment needs.
 *
 * What is written into `folder` is not on the disk: the whole of it is, before it becomes an environment.
 *
 * @param place.upper - The new layer; to be removed if the environment does not come to be, and where this fails.
 * @returns When the layer's files are on the disk, if that is asked for: nothing else need wait for it.
 */
export async function stackOn(
  {paths}: Pick<Host, 'paths'>,
  {id, record}: ImageLayer,
  {upper, folder, history, ledger, name, isSynced}: Place & {name: EnvironmentName; isSynced: boolean},
): Promise<{readonly onDisk: Promise<void>}> {
  await makeUpper(paths.layers, upper, {below: id})
  const machineId = randomBytes(16).toString('hex')
  const facts = {name, machineId, isSynced}
  const onDisk = writePersonalFiles(layerFiles(paths.layers, upper).tree, record.personal, facts)
  onDisk.catch(() => {})
  mkdirSync(folder, {mode: 0o700})
  unlessErrno(() => copyFileSync(layerLedger(layerFiles(paths.layers, id).folder), ledger), 'ENOENT')
  await writeHistory(history, newHistory(id, upper), {isSynced: false})
  return {onDisk}
}
