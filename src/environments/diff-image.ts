import type {Paths} from '../host/paths.js'
import type {OwnFile} from '../rootfs/tree-process.js'
import {layerFiles, listLayers} from '../storage/layer-files.js'
import {identityOf, type LayerId} from '../storage/layer-id.js'
import type {GuestTree} from './guest-tree.js'
import {type ImageLayerRecord, readLayerRecord} from './image-layer-record.js'
import {SLOTS} from './personal-files.js'
import type {EnvironmentRecord} from './record.js'

type Origin = Pick<EnvironmentRecord, 'image' | 'identity'>

/**
 * The folder with the files of an environment's image, as they were before anything was done in it.
 *
 * @returns Undefined where no such layer is kept.
 */
export async function findImageTree(
  paths: Paths,
  tree: GuestTree,
  origin: Origin,
): Promise<string | undefined> {
  const [found] = await imageLayers(paths, [tree], origin)
  return found && layerFiles(paths.layers, found.id).tree
}

/** What envs writes into each environment that stands on the image of one of these trees. */
export async function ownFilesOf(
  paths: Paths,
  trees: readonly GuestTree[],
  origin: Origin,
): Promise<OwnFile[]> {
  const layers = await imageLayers(paths, trees, origin)
  const plans = new Map(layers.flatMap(({record}) => record.personal).map((file) => [file.path, file]))
  return [...plans.values()].map(({path, content}) => ({
    path,
    parts: Buffer.from(content, 'base64')
      .toString('latin1')
      .split(SLOTS.name)
      .flatMap((part) => part.split(SLOTS.machineId)),
  }))
}

type Kept = {readonly id: LayerId; readonly record: ImageLayerRecord}

/** Those that trees stand on; for a tree that stands on none, one of the same image. */
async function imageLayers(paths: Paths, trees: readonly GuestTree[], origin: Origin): Promise<Kept[]> {
  const bases = trees.flatMap((tree) => (tree.kind === 'overlay' ? [tree.history.layers[0]] : []))
  const own = await readLayers(paths, [...new Set(bases)])
  if (own.length > 0) return own
  const ids = (await listLayers(paths.layers)).filter((id) => identityOf(id) === origin.identity)
  const all = await readLayers(paths, ids)
  return all.filter(({record}) => record.sha256 === origin.image.sha256)
}

async function readLayers(paths: Paths, ids: readonly LayerId[]): Promise<Kept[]> {
  const read = await Promise.all(
    ids.map(async (id) => ({id, record: await readLayerRecord(layerFiles(paths.layers, id).record)})),
  )
  return read.flatMap(({id, record}) => (record === undefined ? [] : [{id, record}]))
}
