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

/** The layer that an image becomes, and what is known of it. */
export type ImageLayer = {readonly id: LayerId; readonly record: ImageLayerRecord}

type UnpackedLayer = {readonly layer: ImageLayer; readonly unpacked: Unpacked}

export type LayerIngredients = {
  readonly identity: Identity
  /** They decide what the fixes write. */
  readonly archives: ArchiveFacts
}

type MakeOptions = LayerIngredients & {
  /** Whether it is on the disk before it appears. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
  readonly onProgress: (event: UnpackProgress) => void
  /** Takes the tree that the image was just made of, where there is one: it need not be extracted again. */
  readonly takeTree?: () => FreshTree | undefined
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
): Promise<UnpackedLayer> {
  const finding = findLayerOf(host, image, options)
  if (!image.isReadToIdentify) return (await finding) ?? makeImageLayer(host, image, options)
  return unlessFound(finding, options.signal, (signal) => makeImageLayer(host, image, {...options, signal}))
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

/** Whether an environment of that image needs no byte of its archive. */
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

/** Everything that decides what is in it: the same ingredients make the same layer. */
async function imageLayerId(
  {architecture}: Pick<Host, 'architecture'>,
  sha256: Sha256,
  {identity, archives}: LayerIngredients,
): Promise<LayerId> {
  const version = await packageVersion()
  return layerIdOf(identity, [LAYER_SCHEMA, version, sha256, architecture, JSON.stringify(archives)])
}

async function makeImageLayer(host: Host, image: OpenedImage, options: MakeOptions): Promise<UnpackedLayer> {
  const {identity, archives, isSynced, signal} = options
  const {layers} = host.paths
  const fresh = options.takeTree?.()
  const folder = fresh?.folder ?? join(layers, `.partial.${identity}.${randomBytes(4).toString('hex')}`)
  const partial = filesIn(folder)
  try {
    const unpacked =
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
    const record = {...settledAs, treeBytes}
    await writeLayerRecord(partial.record, record)
    signal.throwIfAborted()
    const id = await imageLayerId(host, unpacked.evidence.sha256, options)
    if (!(await publishLayer(layers, {folder, id}))) {
      const there = layerFiles(layers, id).record
      // Of the same ingredients, with a record that was damaged.
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
  {folder, identity, ...options}: MakeOptions & {folder: string},
): Promise<Unpacked> {
  await makeFolders(host.paths.layers, {mode: 0o700})
  await mkdir(folder, {mode: 0o700})
  const root = filesIn(folder).tree
  await mkdir(root, {mode: 0o700})
  const tree = await treeProcess(host, identity)
  const owners = identity === 'mapped' ? 'keep' : 'caller'
  return unpackImage(image, {tree, root, owners, ledger: layerLedger(folder)}, options)
}

/** Without a look into the archive, which was written from this very tree. */
async function unpackedAs(image: OpenedImage, {report}: FreshTree): Promise<Unpacked> {
  const known = await image.identify()
  const [{sizeBytes}] = image.layers
  if (known === undefined || sizeBytes === undefined) throw new Error('an image that was made is unknown')
  return {report, evidence: {...known, sizeBytes}}
}

/** The fixes that are the same for every environment are in the layer, and the plan for the others is in its record. */
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

/** @returns Whether it is the one; false when another command has made the same one meanwhile. */
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
 * Makes what is being looked for, and makes it meanwhile. For where both take long and little of what is looked for is there:
 * an archive has to be read to know which it is, and work is lost only where the same bytes were unpacked from another file.
 *
 * @param signal - Ends the making, and with it the waiting for what is looked for.
 * @param make - Leaves nothing behind when its signal is aborted.
 * @throws As `finding`, which knows more of what is wrong, else as `make`.
 */
export async function unlessFound<T>(
  finding: Promise<T | undefined>,
  signal: AbortSignal,
  make: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const inVain = new AbortController()
  const making = make(AbortSignal.any([signal, inVain.signal]))
  const found = making.then(
    () => finding,
    (error: unknown) => (signal.aborted ? Promise.reject(error) : finding),
  )
  try {
    return (await Promise.race([finding, found])) ?? (await making)
  } finally {
    inVain.abort()
    await found.catch(() => {})
  }
}
