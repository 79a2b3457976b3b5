import {access} from 'node:fs/promises'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {readKept} from '../images/cache/cache.js'
import {listContainers, readContainerIfValid} from '../images/oci/kept.js'
import {environmentFiles, listNames} from '../store/environments.js'
import {RecordUnreadableError} from '../store/errors.js'
import {countClaims, sweepLayers, type Uncounted} from '../store/gc.js'
import {listStoredLayers, readStoredLayer} from '../store/image-layers.js'
import {type LayerId, layerFiles, listLayers, readLayerRecord} from '../store/layers.js'
import {readRecord} from '../store/record.js'

/** The unpacked files of an image, as a layer below environments. */
export type ImageTree = {
  readonly id: LayerId
  /** Name of the image; the beginning of its digest where the tarball is not in the cache. */
  readonly name: string
  readonly sha256: string
  readonly sizeBytes: number
}

/**
 * Finds the image trees that no environment uses.
 *
 * @param uncounted - Environments that do not count as users.
 */
export async function findUnusedImageTrees(paths: Paths, uncounted: Uncounted = {}): Promise<ImageTree[]> {
  const claims = await countClaims(paths, uncounted)
  const found: ImageTree[] = []
  for (const id of await listLayers(paths.layers)) {
    const record = claims.has(id) ? undefined : await readLayerRecord(layerFiles(paths.layers, id).record)
    if (record === undefined) continue
    const {sha256, treeBytes} = record
    const image = await readKept(paths.images, sha256).catch(() => undefined)
    const container = image === undefined ? readContainerIfValid(paths.images, sha256) : undefined
    const name =
      image === undefined
        ? (container?.origin.reference ?? sha256.slice(0, 12))
        : `${image.name} ${image.version}`
    found.push({id, name, sha256, sizeBytes: treeBytes})
  }
  return found
}

/**
 * Removes image trees. Keeps a tree that an environment, or the creation of one, uses.
 *
 * @returns Whether all were removed.
 */
export async function removeImageTrees(host: Host, ids: ReadonlySet<LayerId>): Promise<boolean> {
  await sweepLayers(host, new Set(), ids)
  const areLeft = await Promise.all(
    [...ids].map((id) =>
      access(layerFiles(host.paths.layers, id).folder).then(
        () => true,
        () => false,
      ),
    ),
  )
  return !areLeft.includes(true)
}

/**
 * Finds stored layers that no image needs: neither one that is kept, nor one whose tree is in the store.
 *
 * @param going - Trees that do not count, because they are removed first.
 */
export async function findUnusedStoredLayers(
  host: Host,
  going: ReadonlySet<LayerId> = new Set(),
): Promise<LayerId[]> {
  const {paths} = host
  const stored = listStoredLayers(paths)
  if (stored.length === 0) return []
  const named = new Set<LayerId>()
  for (const id of await listLayers(paths.layers)) {
    if (going.has(id)) continue
    const record = await readLayerRecord(layerFiles(paths.layers, id).record)
    for (const each of record?.stored ?? []) named.add(each)
  }
  const kept = new Set(
    (await listContainers(paths.images)).flatMap(({layers}) => layers.map(({diffId}) => diffId)),
  )
  return stored.filter((id) => {
    const layer = readStoredLayer(paths, id)
    return !named.has(id) && (layer === undefined || !kept.has(layer.diffId))
  })
}

/**
 * Returns the names of the environments that were made from each image, by the image's digest.
 *
 * @param except - Names of environments that do not count as users.
 */
export async function imageUsers(
  paths: Paths,
  except: ReadonlySet<string> = new Set(),
): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, string[]>()
  for (const name of (await listNames(paths)).filter((each) => !except.has(each))) {
    const record = await readRecord(environmentFiles(paths, name).record).catch(ignoreDamaged)
    if (record === undefined) continue
    const {sha256} = record.image
    users.set(sha256, [...(users.get(sha256) ?? []), name])
  }
  return users
}

function ignoreDamaged(error: unknown): undefined {
  if (!(error instanceof RecordUnreadableError)) throw error
}
