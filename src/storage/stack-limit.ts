import {layerFiles} from './layer-files.js'
import type {LayerId} from './layer-id.js'

/** A stack this high is looked up fast enough still. */
const MOST_LAYERS = 24
/** Of the page that mount(2) takes, what is for the layers below the upper one. */
const MOST_BYTES = 3000
/** bwrap gives each path as it is below its `/oldroot`, and a colon. */
const OVERHEAD_BYTES = '/oldroot:'.length

/**
 * How many layers may lie below an upper one in this store.
 *
 * @param layers - The folder of all of them.
 * @see mount(2): the options are cut at a page, in silence.
 */
export function mostLayers(layers: string, id: LayerId): number {
  const bytes = Buffer.byteLength(layerFiles(layers, id).tree) + OVERHEAD_BYTES
  return Math.min(MOST_LAYERS, Math.floor(MOST_BYTES / bytes))
}
