import {randomBytes} from 'node:crypto'
import {mkdir, rename} from 'node:fs/promises'
import {join} from 'node:path'
import {errnoOf} from '../errors.js'
import {syncFolder} from '../host/atomic-file.js'
import type {Sha256} from '../host/digest.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {packageVersion} from '../host/paths.js'
import {capture} from '../host/process.js'
import type {IdentifiedImage, ImageEvidence, OpenedImage} from '../images/opened-image.js'
import {CLONE_FIXES, SHARED_FIXES} from '../rootfs/fixes/list.js'
import {ensureMountPoints} from '../rootfs/mount-points.js'
import {
  type ArchiveFacts,
  applyFixes,
  type ExtractProgress,
  measureTrees,
  planTreeFiles,
} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {MOUNT_POINTS} from '../sandbox/mounts.js'
import {filesIn, layerFiles} from '../storage/layer-files.js'
import {type LayerId, layerIdOf} from '../storage/layer-id.js'
import {type ImageLayerRecord, LAYER_SCHEMA, readLayerRecord, writeLayerRecord} from './image-layer-record.js'
import {layerLedger, removeLayerFolder} from './layer-folders.js'
import {SLOTS} from './personal-files.js'
import {treeProcess} from './toolbox.js'
import {newTreeFacts} from './tree-facts.js'
import {type Unpacked, unpackImage} from './unpack.js'

/** The layer that an image becomes, and what is known of it. */
export type ImageLayer = {readonly id: LayerId; readonly record: ImageLayerRecord}

export type LayerIngredients = {
  readonly identity: Identity
  /** They decide what the fixes write. */
  readonly archives: ArchiveFacts
}

type MakeOptions = LayerIngredients & {
  /** Whether it is on the disk before it appears. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
  readonly onProgress: (event: ExtractProgress) => void
}

/**
 * The layer made of an image: the one that is there, else a new one. To be called with the layers held.
 *
 * @throws As `unpackImage` and `applyFixes`.
 */
export async function openImageLayer(
  host: Host,
  image: OpenedImage,
  options: MakeOptions,
): Promise<{layer: ImageLayer; unpacked: Unpacked}> {
  const known = await image.identify()
  const present = known === undefined ? undefined : await findImageLayer(host, known.sha256, options)
  if (known === undefined || present === undefined) return makeImageLayer(host, image, options)
  return {layer: present, unpacked: {report: present.record.report, evidence: evidenceOf(known, present)}}
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

/** Everything that decides what is in it: the same ingredients make the same layer. */
async function imageLayerId(
  {architecture}: Pick<Host, 'architecture'>,
  sha256: Sha256,
  {identity, archives}: LayerIngredients,
): Promise<LayerId> {
  const version = await packageVersion()
  return layerIdOf(identity, [LAYER_SCHEMA, version, sha256, architecture, JSON.stringify(archives)])
}

async function makeImageLayer(
  host: Host,
  image: OpenedImage,
  options: MakeOptions,
): Promise<{layer: ImageLayer; unpacked: Unpacked}> {
  const {identity, archives, signal, onProgress} = options
  const {layers} = host.paths
  const folder = join(layers, `.partial.${identity}.${randomBytes(4).toString('hex')}`)
  const partial = filesIn(folder)
  const tree = await treeProcess(host, identity)
  await makeFolders(layers, {mode: 0o700})
  await mkdir(folder, {mode: 0o700})
  try {
    await mkdir(partial.tree, {mode: 0o700})
    const target = {
      tree,
      root: partial.tree,
      owners: identity === 'mapped' ? 'keep' : 'caller',
      ledger: layerLedger(folder),
    } as const
    const unpacked = await unpackImage(image, target, {signal, onProgress})
    const record = await settle(host, {root: partial.tree, unpacked, identity, archives})
    if (options.isSynced) await capture(['sync', '-f', folder])
    await writeLayerRecord(partial.record, record)
    signal.throwIfAborted()
    const id = await imageLayerId(host, unpacked.evidence.sha256, options)
    if (!(await publish(layers, {folder, id}))) await removeLayerFolder(host, {identity, folder})
    return {layer: {id, record}, unpacked}
  } catch (error) {
    await removeLayerFolder(host, {identity, folder})
    throw error
  }
}

/** The fixes that are the same for every environment are in the layer, and the plan for the others is in its record. */
async function settle(
  host: Host,
  {root, unpacked, identity, archives}: LayerIngredients & {root: string; unpacked: Unpacked},
): Promise<ImageLayerRecord> {
  const tree = await treeProcess(host, identity)
  const facts = {...newTreeFacts(host, {...SLOTS, identity, archives}), ...SLOTS}
  const {notes} = await applyFixes(tree, {root, facts, only: SHARED_FIXES})
  const personal = await planTreeFiles(tree, {root, facts, only: CLONE_FIXES})
  await ensureMountPoints(root, MOUNT_POINTS)
  const [usage] = await measureTrees(tree, [root])
  const {report, evidence} = unpacked
  const {sha256, sizeBytes} = evidence
  return {sha256, archiveBytes: sizeBytes, report, notes, personal, treeBytes: usage?.sizeBytes ?? 0}
}

/** @returns Whether it is the one; false when another command has made the same one meanwhile. */
async function publish(layers: string, {folder, id}: {folder: string; id: LayerId}): Promise<boolean> {
  try {
    await rename(folder, layerFiles(layers, id).folder)
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error
    return false
  }
  await syncFolder(layers)
  return true
}
