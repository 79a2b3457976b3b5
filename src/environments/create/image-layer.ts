import {randomBytes} from 'node:crypto'
import {existsSync} from 'node:fs'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {Sha256} from '../../host/digest.js'
import {isErrno} from '../../host/errno.js'
import {makeFolders, publish, syncAhead, syncFileSystem} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {packageVersion} from '../../host/paths.js'
import type {IdentifiedImage, ImageEvidence, OpenedImage} from '../../images/opened-image.js'
import {PERSONAL_FIXES, SHARED_FIXES} from '../../rootfs/fixes/index.js'
import {ensureMountPoints} from '../../rootfs/mount-points.js'
import {type ArchiveFacts, measureTrees, settleTree} from '../../rootfs/worker/api.js'
import type {Identity} from '../../sandbox/identity.js'
import {MOUNT_POINTS} from '../../sandbox/mounts.js'
import {layerLedger, removeLayerFolder} from '../../store/gc.js'
import {presentIdMap} from '../../store/integrity/id-maps.js'
import {
  filesIn,
  type ImageLayerRecord,
  LAYER_SCHEMA,
  type LayerId,
  layerFiles,
  layerIdOf,
  readLayerRecord,
  writeLayerRecord,
} from '../../store/layers.js'
import {treeProcess} from '../../store/tools.js'
import type {FreshTree} from '../bootstrap/build.js'
import {newTreeFacts, SLOTS} from './own-files.js'
import {type Unpacked, type UnpackProgress, unpackImage} from './unpack.js'

/** The layer that was made from an image, and its record. */
export type ImageLayer = {readonly id: LayerId; readonly record: ImageLayerRecord}

type UnpackedLayer = {readonly layer: ImageLayer; readonly unpacked: Unpacked}

export type LayerIngredients = {
  readonly identity: Identity
  /** Decide what the fixes write. */
  readonly archives: ArchiveFacts
}

type LayerOptions = LayerIngredients & {
  /** Whether the layer is synced to disk before it is published. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
  readonly onProgress: (event: UnpackProgress) => void
  /** Takes over the tree that the image was just made from, if there is one, which saves the extraction. */
  readonly takeTree?: () => FreshTree | undefined
}

/**
 * Returns the layer of an image: the existing one, else a new one. The caller holds the lock of the layers.
 *
 * @throws As `unpackImage` and `applyFixes`.
 */
export async function openImageLayer(
  host: Host,
  image: OpenedImage,
  options: LayerOptions,
): Promise<UnpackedLayer> {
  const finding = findLayerOf(host, image, options)
  if (!image.isReadToIdentify) return (await finding) ?? makeImageLayer(host, image, options)
  return findOrMake(finding, options.signal, (signal) => makeImageLayer(host, image, {...options, signal}))
}

async function findLayerOf(
  host: Host,
  image: OpenedImage,
  ingredients: LayerIngredients,
): Promise<UnpackedLayer | undefined> {
  const known = await image.identify()
  if (known === undefined) return undefined
  const layer = await findImageLayer(host, known.sha256, ingredients)
  if (layer === undefined) return undefined
  return {layer, unpacked: {report: layer.record.report, evidence: evidenceOf(known, layer)}}
}

/** Returns whether the layer of that image exists, so that an environment needs no byte of the image's tarball. */
export async function isUnpacked(
  host: Host,
  sha256: Sha256,
  ingredients: LayerIngredients,
): Promise<boolean> {
  const id = await imageLayerId(host, sha256, ingredients)
  return existsSync(layerFiles(host.paths.layers, id).record)
}

function evidenceOf(known: IdentifiedImage, {record}: ImageLayer): ImageEvidence {
  return {...known, sizeBytes: record.archiveBytes}
}

async function findImageLayer(
  host: Host,
  sha256: Sha256,
  ingredients: LayerIngredients,
): Promise<ImageLayer | undefined> {
  const id = await imageLayerId(host, sha256, ingredients)
  const record = await readLayerRecord(layerFiles(host.paths.layers, id).record)
  return record === undefined ? undefined : {id, record}
}

/**
 * Returns the id of a layer, a digest of all inputs that decide its content: the same inputs make the same layer. The owners on
 * disk are one of them: with another subuid range, the layer of the former one is not used.
 */
async function imageLayerId(
  host: Host,
  sha256: Sha256,
  {identity, archives}: LayerIngredients,
): Promise<LayerId> {
  const version = await packageVersion()
  const ids = identity === 'mapped' ? [JSON.stringify(await presentIdMap(host))] : []
  const ingredients = [LAYER_SCHEMA, version, sha256, host.architecture, JSON.stringify(archives), ...ids]
  return layerIdOf(identity, ingredients)
}

async function makeImageLayer(host: Host, image: OpenedImage, options: LayerOptions): Promise<UnpackedLayer> {
  const {identity, archives, isSynced, signal} = options
  const {layers} = host.paths
  const fresh = options.takeTree?.()
  const folder = fresh?.folder ?? join(layers, `.partial.${identity}.${randomBytes(4).toString('hex')}`)
  const partial = filesIn(folder)
  try {
    const unpacked: Unpacked & {readonly stored?: readonly LayerId[]} =
      fresh === undefined
        ? await unpackInto(host, image, {folder, ...options})
        : await unpackedAs(image, fresh)
    const ahead = isSynced ? syncAhead(folder, unpacked.report.totalBytes) : undefined
    const settled = settle(host, {root: partial.tree, unpacked, identity, archives})
    const [settledAs] = await Promise.all([settled, ahead])
    const [[treeBytes = 0]] = await Promise.all([
      measureTrees(await treeProcess(host, identity), [partial.tree]),
      isSynced ? syncFileSystem(folder) : undefined,
    ])
    const {stored} = unpacked
    const record = {...settledAs, treeBytes, ...(stored === undefined ? {} : {stored})}
    await writeLayerRecord(partial.record, record)
    signal.throwIfAborted()
    const id = await imageLayerId(host, unpacked.evidence.sha256, options)
    if (!(await publishLayer(layers, {folder, id}))) {
      const there = layerFiles(layers, id).record
      // The existing layer has the same content, but its record may be damaged.
      if ((await readLayerRecord(there)) === undefined) await writeLayerRecord(there, record)
      await removeLayerFolder(host, {identity, folder})
    }
    return {layer: {id, record}, unpacked}
  } catch (error) {
    await removeLayerFolder(host, {identity, folder})
    throw error
  }
}

async function unpackInto(
  host: Host,
  image: OpenedImage,
  {folder, identity, ...options}: LayerOptions & {folder: string},
): Promise<Unpacked & {readonly stored?: readonly LayerId[]}> {
  await makeFolders(host.paths.layers, {mode: 0o700})
  await mkdir(folder, {mode: 0o700})
  const root = filesIn(folder).tree
  await mkdir(root, {mode: 0o700})
  if ('container' in image) {
    const {unpackContainer} = await import('./container-layers.js')
    return unpackContainer(host, image, {root, ledger: layerLedger(folder), identity, ...options})
  }
  const tree = await treeProcess(host, identity)
  const owners = identity === 'mapped' ? 'keep' : 'caller'
  return unpackImage(image, {tree, root, owners, ledger: layerLedger(folder)}, options)
}

/** Reuses the report of the fresh tree: the image's tarball was written from that tree. */
async function unpackedAs(image: OpenedImage, {report}: FreshTree): Promise<Unpacked> {
  if (!('layers' in image)) throw new Error('envs makes tarballs')
  const known = await image.identify()
  const [{sizeBytes}] = image.layers
  if (known === undefined || sizeBytes === undefined)
    throw new Error('an image that was just made has no identity or size')
  return {report, evidence: {...known, sizeBytes}}
}

/**
 * Applies the fixes that are the same for every environment, and returns the plan of the others, which the layer's record
 * keeps.
 */
async function settle(
  host: Host,
  {root, unpacked, identity, archives}: LayerIngredients & {root: string; unpacked: Unpacked},
): Promise<Omit<ImageLayerRecord, 'treeBytes'>> {
  const tree = await treeProcess(host, identity)
  const facts = {...newTreeFacts(host, {...SLOTS, identity, archives}), ...SLOTS}
  await ensureMountPoints(root, MOUNT_POINTS)
  const fixes = {only: SHARED_FIXES, planned: PERSONAL_FIXES}
  const {notes, planned: personal} = await settleTree(tree, {root, facts, ...fixes})
  const {report, evidence} = unpacked
  const {sha256, sizeBytes} = evidence
  return {sha256, archiveBytes: sizeBytes, report, notes, personal}
}

/** Publishes the layer. @returns false when another command has published the same layer meanwhile. */
async function publishLayer(layers: string, {folder, id}: {folder: string; id: LayerId}): Promise<boolean> {
  try {
    await publish(folder, layerFiles(layers, id).folder)
    return true
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error
    return false
  }
}

/**
 * Runs a slow search and the making of the same thing in parallel, and aborts the making when the search finds it.
 *
 * A tarball has to be read to know its digest, and its layer seldom exists. The extraction is wasted only if the same bytes
 * were extracted before from another file.
 *
 * @param signal - Aborts the making, and with it the wait for the search.
 * @param make - Leaves nothing behind when its signal is aborted.
 * @throws As `finding`, whose error is the more precise one, else as `make`.
 */
export async function findOrMake<T>(
  finding: Promise<T | undefined>,
  signal: AbortSignal,
  make: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const superseded = new AbortController()
  const making = make(AbortSignal.any([signal, superseded.signal]))
  const found = making.then(
    () => finding,
    (error: unknown) => (signal.aborted ? Promise.reject(error) : finding),
  )
  try {
    return (await Promise.race([finding, found])) ?? (await making)
  } finally {
    superseded.abort()
    await found.catch(() => {})
  }
}
