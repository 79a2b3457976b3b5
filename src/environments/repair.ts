import type {Host} from '../host/host.js'
import {sweepImages} from '../images/cache/removal.js'
import {findLayerLeftovers, sweepLayers} from './layer-sweep.js'
import {listLeftovers, sweepLeftovers} from './leftovers.js'
import {endOrphans, findOrphans, type Orphans} from './orphans.js'
import {sweepPackages} from './package-sweep.js'
import {listTries} from './tries.js'
import {sweepTries} from './try-sweep.js'

/** What killed commands and processes have left in the store. */
export type Remains = {
  /** Folders of environments that were half made, or half removed. */
  readonly folders: number
  /** Layers that no environment names, or that are half made. */
  readonly layers: number
  /** Environments that what is left of them keeps from starting. */
  readonly orphans: readonly Orphans[]
}

/** What was put right. */
export type Repair = Remains & {
  /** Throwaway environments that were taken away. */
  readonly tries: number
}

/** What {@link repairStore} would put right now. */
export async function findRemains(host: Host): Promise<Remains> {
  const orphans = await findOrphans(host)
  return {
    folders: (await listLeftovers(host)).length,
    layers: (await findLayerLeftovers(host)).length,
    orphans,
  }
}

/**
 * Takes away what killed commands left, and ends what keeps an environment from starting. What a running command or
 * environment has stays.
 *
 * Files of locks stay too: one that is taken away while somebody waits for it is two locks from then on.
 */
export async function repairStore(host: Host): Promise<Repair> {
  const orphans = await endOrphans(host)
  const triesBefore = (await listTries(host.paths)).length
  await sweepTries(host)
  const triesLeft = (await listTries(host.paths)).length
  const folders = (await sweepLeftovers(host)).length
  const layersBefore = (await findLayerLeftovers(host)).length
  await sweepLayers(host)
  const layersLeft = layersBefore === 0 ? 0 : (await findLayerLeftovers(host)).length
  await sweepPackages(host)
  await sweepImages(host.paths.images, host.now())
  const layers = Math.max(0, layersBefore - layersLeft)
  return {orphans, folders, layers, tries: Math.max(0, triesBefore - triesLeft)}
}
