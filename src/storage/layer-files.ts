import {join} from 'node:path'
import {namesIn} from '../host/folders.js'
import {isLayerId, type LayerId} from './layer-id.js'

/** Paths of the parts of one layer. */
export type LayerFiles = {
  readonly folder: string
  /** The files: a whole tree, or changes to the layers below. */
  readonly tree: string
  /** Work folder of overlayfs, used while the layer is writable. */
  readonly work: string
  /** Of a layer that was made from an image; written last. */
  readonly record: string
}

/** @param layers - The folder of all layers. */
export function layerFiles(layers: string, id: LayerId): LayerFiles {
  return filesIn(join(layers, id))
}

export function filesIn(folder: string): LayerFiles {
  return {folder, tree: join(folder, 'tree'), work: join(folder, 'work'), record: join(folder, 'layer.json')}
}

/** Returns the existing layers, in no order; layers that are being made or removed have other names. */
export async function listLayers(layers: string): Promise<LayerId[]> {
  return namesIn(layers).filter(isLayerId)
}
