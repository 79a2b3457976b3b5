import {join} from 'node:path'
import {namesIn} from '../host/folders.js'
import {isLayerId, type LayerId} from './layer-id.js'

/** Where the parts of one layer lie. */
export type LayerFiles = {
  readonly folder: string
  /** The files themselves: a whole tree, or what changes the layers below. */
  readonly tree: string
  /** overlayfs's own, for as long as the layer is written to. */
  readonly work: string
  /** Of a layer that was made of an image; written last. */
  readonly record: string
}

/** @param layers - The folder of all of them. */
export function layerFiles(layers: string, id: LayerId): LayerFiles {
  return filesIn(join(layers, id))
}

export function filesIn(folder: string): LayerFiles {
  return {folder, tree: join(folder, 'tree'), work: join(folder, 'work'), record: join(folder, 'layer.json')}
}

/** Layers there are, in no order; what is being made or removed has another form of name. */
export async function listLayers(layers: string): Promise<LayerId[]> {
  return namesIn(layers).filter(isLayerId)
}
