import {randomBytes} from 'node:crypto'
import {existsSync, renameSync} from 'node:fs'
import {join} from 'node:path'
import * as v from 'valibot'
import type {Sha256} from '../host/digest.js'
import {ignoreFailure, isErrno, unlessErrno} from '../host/errno.js'
import {makeFolders, namesIn, publish, readSmallFile, writeFileAtomic} from '../host/files.js'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {numberField, parseIfValid, type RecordOf, sha256Field} from '../host/records.js'
import type {StoredLayerFiles} from '../rootfs/worker/api.js'
import type {Identity} from '../sandbox/identity.js'
import {removeLayerFolder} from './gc.js'
import {presentIdMap} from './integrity/id-maps.js'
import {extractReportSchema, identityOf, isLayerId, type LayerId, layerIdOf} from './layers.js'
import {tryLockLayers} from './locks.js'

/** Part of the ids, so that layers that another version unpacked differently are not used. */
const SCHEMA = '1'

const storedLayerSchema = v.object({
  schemaVersion: v.literal(1),
  /** Digest of the layer without its compression. */
  diffId: sha256Field,
  /** Digest and size of the bytes that it was unpacked from. */
  blob: v.object({digest: sha256Field, sizeBytes: numberField}),
  report: extractReportSchema,
})

/** The record of a layer of an image of containers; written last. Images with the same layer share it. */
export type StoredLayer = Omit<RecordOf<typeof storedLayerSchema>, 'schemaVersion'>

/** Paths of the parts of a stored layer. */
export type StoredLayerPaths = StoredLayerFiles & {readonly folder: string; readonly record: string}

/** Returns the id of a layer: the same layer is unpacked once for an identity and its ids on disk. */
export async function storedLayerId(host: Host, identity: Identity, diffId: Sha256): Promise<LayerId> {
  const ids = identity === 'mapped' ? [JSON.stringify(await presentIdMap(host))] : []
  return layerIdOf(identity, ['image-layer', SCHEMA, diffId, ...ids])
}

/**
 * Returns the folder of stored layers. It is beside the folder of the layers that environments have: a stored layer is never mounted,
 * and no history names it. The merged layer of an image has hard links to its files.
 */
function storeFolder({data}: Pick<Paths, 'data'>): string {
  return join(data, 'image-layers')
}

export function storedLayerPaths(paths: Paths, id: LayerId): StoredLayerPaths {
  return pathsIn(join(storeFolder(paths), id))
}

function pathsIn(folder: string): StoredLayerPaths {
  return {
    folder,
    tree: join(folder, 'tree'),
    changes: join(folder, 'changes.json'),
    ledger: join(folder, 'ledger.jsonl'),
    record: join(folder, 'layer.json'),
  }
}

/** Returns the paths of a layer that is being made; garbage collection finds the folder if the command is killed. */
export function newStoredLayer({layers}: Paths, identity: Identity): StoredLayerPaths {
  return pathsIn(join(layers, `.partial.${identity}.${randomBytes(4).toString('hex')}`))
}

/** Returns the record of a stored layer; undefined when it is missing or damaged. */
export function readStoredLayer(paths: Paths, id: LayerId): StoredLayer | undefined {
  try {
    return parseIfValid(readSmallFile(storedLayerPaths(paths, id).record), storedLayerSchema)
  } catch (error) {
    if (isErrno(error)) return undefined
    throw error
  }
}

/** Moves a complete layer to its place. The caller holds the lock of its diffID. */
export async function publishStoredLayer(
  host: Host,
  partial: StoredLayerPaths,
  {id, layer}: {readonly id: LayerId; readonly layer: StoredLayer},
): Promise<void> {
  await writeFileAtomic(partial.record, `${JSON.stringify({schemaVersion: 1, ...layer})}\n`, {mode: 0o600})
  await makeFolders(storeFolder(host.paths), {mode: 0o700})
  const {folder} = storedLayerPaths(host.paths, id)
  // Only a damaged layer can be there: an intact one would have been used.
  if (existsSync(folder)) await removeLayerFolder(host, {identity: identityOf(id), folder})
  await publish(partial.folder, folder)
}

/** Returns the ids of the stored layers. */
export function listStoredLayers(paths: Paths): LayerId[] {
  return namesIn(storeFolder(paths)).filter(isLayerId)
}

/**
 * Removes stored layers, unless another command makes or uses a layer now: it may be about to merge them.
 *
 * @returns Whether they were removed.
 */
export async function removeStoredLayers(host: Host, ids: readonly LayerId[]): Promise<boolean> {
  const {paths} = host
  const lock = await tryLockLayers(paths).catch(ignoreFailure)
  if (lock === undefined) return false
  const aside: {identity: Identity; folder: string}[] = []
  try {
    await makeFolders(paths.layers, {mode: 0o700})
    for (const id of ids) {
      const identity = identityOf(id)
      // Renamed first: a killed removal must not leave half a layer under its name.
      const folder = join(paths.layers, `.removed.${identity}.${randomBytes(4).toString('hex')}`)
      unlessErrno(() => renameSync(storedLayerPaths(paths, id).folder, folder), 'ENOENT')
      aside.push({identity, folder})
    }
  } finally {
    lock.release()
  }
  // The next sweep removes the rest.
  for (const each of aside) await removeLayerFolder(host, each).catch(ignoreFailure)
  return true
}
