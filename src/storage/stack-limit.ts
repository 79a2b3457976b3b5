import {layerFiles} from './layer-files.js'
import type {LayerId} from './layer-id.js'

/** Lookups in a stack of this height are still fast. */
const MOST_LAYERS = 24
/** Part of mount(2)'s page for the layers below the upper one. */
const MOST_BYTES = 3000
/** bwrap writes each path with its `/oldroot`, and a colon. */
const OVERHEAD_BYTES = '/oldroot:'.length

/**
 * Returns the limit for the layers below an upper one in this store.
 *
 * @param layers - The folder of all layers.
 * @see mount(2): it silently truncates the options at a page.
 */
export function mostLayers(layers: string, id: LayerId): number {
  const bytes = Buffer.byteLength(layerFiles(layers, id).tree) + OVERHEAD_BYTES
  return Math.min(MOST_LAYERS, Math.floor(MOST_BYTES / bytes))
}
