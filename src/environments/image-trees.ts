import {access} from 'node:fs/promises'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {readKept} from '../images/cache/kept-images.js'
import {layerFiles, listLayers} from '../storage/layer-files.js'
import type {LayerId} from '../storage/layer-id.js'
import {readLayerRecord} from './image-layer-record.js'
import {countClaims} from './layer-claims.js'
import {sweepLayers} from './layer-sweep.js'

/** What was unpacked of an image for the environments that stand on it. */
export type ImageTree = {
  readonly id: LayerId
  /** The image's, or the beginning of its digest where the archive is not kept. */
  readonly name: string
  readonly sha256: string
  readonly sizeBytes: number
}

/**
 * Trees of images on which no environment stands.
 *
 * @param except - Names of environments that do not count.
 */
export async function findUnusedImageTrees(
  paths: Paths,
  except: ReadonlySet<string> = new Set(),
): Promise<ImageTree[]> {
  const claims = await countClaims(paths, except)
  const found: ImageTree[] = []
  for (const id of await listLayers(paths.layers)) {
    const record = claims.has(id) ? undefined : await readLayerRecord(layerFiles(paths.layers, id).record)
    if (record === undefined) continue
    const {sha256, treeBytes} = record
    const image = await readKept(paths.images, sha256).catch(() => undefined)
    const name = image === undefined ? sha256.slice(0, 12) : `${image.name} ${image.version}`
    found.push({id, name, sha256, sizeBytes: treeBytes})
  }
  return found
}

/** Removes trees of images unless an environment stands on them, or one is being made. @returns Whether all are gone. */
export async function removeImageTrees(host: Host, ids: ReadonlySet<LayerId>): Promise<boolean> {
  await sweepLayers(host, new Set(), ids)
  const areThere = await Promise.all(
    [...ids].map((id) =>
      access(layerFiles(host.paths.layers, id).folder).then(
        () => true,
        () => false,
      ),
    ),
  )
  return !areThere.includes(true)
}
