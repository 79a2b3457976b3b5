import {mkdtemp, rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {Host} from '../host/host.js'
import type {Identity} from '../sandbox/identity.js'
import {removeLayerFolder} from './gc.js'
import {holdLayers} from './locks.js'

/**
 * Calls `work` with an empty folder on the disk of the layers, for a trial of a mount, and removes it afterwards.
 *
 * Holds the shared lock of the layers as long: a folder of a trial that no process holds is one that a killed command left.
 *
 * @throws {@link layersBusyError}
 */
export async function withTrialFolder<Result>(
  host: Host,
  identity: Identity,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const held = await holdLayers(host.paths)
  try {
    const folder = await mkdtemp(join(host.paths.layers, `.trial.${identity}.`))
    try {
      return await work(folder)
    } finally {
      const removeAsUser = () => rm(folder, {recursive: true, force: true})
      await removeLayerFolder(host, {identity, folder}).catch(removeAsUser)
    }
  } finally {
    held.release()
  }
}
