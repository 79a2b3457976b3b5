import {mkdir} from 'node:fs/promises'
import {availableParallelism} from 'node:os'
import {ExitCode} from '../../errors.js'
import type {Sha256} from '../../host/digest.js'
import {DigestMismatchError, digestMismatchError} from '../../host/errors.js'
import {makeFolders, syncFileSystem} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {lockImageForFetching, partialFiles} from '../../images/cache/layout.js'
import {type BlobReader, discardPart, openBlob} from '../../images/oci/blob-reader.js'
import {type ContainerImage, type ContainerLayer, hexOf} from '../../images/oci/container-image.js'
import {keepContainer} from '../../images/oci/kept.js'
import type {OpenedContainer} from '../../images/opened-image.js'
import type {BlobSource} from '../../registry/blob-source.js'
import {architectureOf} from '../../registry/platform.js'
import {WorkerFailure} from '../../rootfs/errors.js'
import {extractLayer, type LayerReport, mergeLayers} from '../../rootfs/worker/api.js'
import type {Identity} from '../../sandbox/identity.js'
import {removeLayerFolder} from '../../store/gc.js'
import {
  newStoredLayer,
  publishStoredLayer,
  readStoredLayer,
  type StoredLayer,
  type StoredLayerPaths,
  storedLayerId,
  storedLayerPaths,
} from '../../store/image-layers.js'
import type {LayerId} from '../../store/layers.js'
import {holdLayers} from '../../store/locks.js'
import {treeProcess} from '../../store/tools.js'
import type {LayerProgress} from './image-description.js'
import type {Unpacked, UnpackProgress} from './unpack.js'

type ContainerOptions = {
  readonly identity: Identity
  readonly isSynced: boolean
  readonly signal: AbortSignal
  readonly onProgress: (event: UnpackProgress) => void
}

/**
 * Puts the layers of an image into the store, and keeps its record, for environments that are made later.
 *
 * @throws As {@link storeLayers}.
 */
export async function pullContainer(
  host: Host,
  {image, source}: {readonly image: ContainerImage; readonly source: BlobSource},
  options: Omit<ContainerOptions, 'isSynced'>,
): Promise<void> {
  const lock = await holdLayers(host.paths)
  try {
    await storeLayers(host, {container: image, blobs: source}, {...options, isSynced: true})
    await keepRecord(host, image, options.signal)
  } finally {
    lock.release()
  }
}

async function keepRecord(host: Host, image: ContainerImage, signal: AbortSignal): Promise<void> {
  const architecture = architectureOf(image.platform) ?? host.architecture
  await keepContainer(host.paths.images, image, {architecture, now: host.now(), signal})
}

/** The part of an opened image that layers are read from. */
type LayerSource = Pick<OpenedContainer, 'container' | 'blobs'>

/** A layer that is in the store. */
type PresentLayer = {readonly id: LayerId; readonly layer: StoredLayer}

/** Layers that are unpacked at the same time: inflating is the limit, and takes one processor for each. */
const MOST_PARALLEL = 2

/**
 * Unpacks the layers of an image that are not in the store, and returns all of them from the lowest to the highest. The caller holds
 * the lock of the layers.
 *
 * @throws {DigestMismatchError} When a layer has other bytes than the manifest, or other content than the configuration says.
 * @throws As `extractLayer`, and as the source of the image.
 */
async function storeLayers(
  host: Host,
  image: LayerSource,
  options: ContainerOptions,
): Promise<readonly PresentLayer[]> {
  const distinct = [...new Map(image.container.layers.map((layer) => [layer.diffId, layer])).values()]
  const progress = openProgress(distinct, options.onProgress)
  const present = new Map<Sha256, PresentLayer>()
  const queue = [...distinct]
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  let failure: {readonly error: unknown} | undefined
  const work = async () => {
    for (let layer = queue.shift(); layer !== undefined; layer = queue.shift()) {
      try {
        signal.throwIfAborted()
        present.set(layer.diffId, await storeLayer(host, image, {...options, layer, signal, progress}))
      } catch (error) {
        failure ??= {error}
        stop.abort()
        return
      }
    }
  }
  const workers = Math.min(MOST_PARALLEL, availableParallelism(), distinct.length)
  await Promise.all(Array.from({length: workers}, work))
  options.signal.throwIfAborted()
  if (failure !== undefined) throw failure.error
  return image.container.layers.flatMap(({diffId}) => present.get(diffId) ?? [])
}

/**
 * Writes the tree of an image of containers into `root`, an empty folder among the layers: hard links to the files of its stored
 * layers, which nothing may change in place.
 *
 * @returns `stored`: the layers that the tree shares its files with.
 * @throws As {@link storeLayers}; {WorkerFailure} ENVS_ARCHIVE_REFUSED
 */
export async function unpackContainer(
  host: Host,
  image: OpenedContainer,
  {root, ledger, ...options}: ContainerOptions & {readonly root: string; readonly ledger: string},
): Promise<Unpacked & {readonly stored: readonly LayerId[]}> {
  const layers = await storeLayers(host, image, options)
  const {identity, signal} = options
  // Before the tree: a killed command leaves an image that another can use.
  await keepRecord(host, image.container, signal)
  const owners = identity === 'mapped' ? 'keep' : 'caller'
  const paths = layers.map(({id}) => {
    const {tree, changes, ledger: own} = storedLayerPaths(host.paths, id)
    return {tree, changes, ledger: own}
  })
  // In the tree of the image, so that it is no change of the user.
  const workingFolder = image.container.config.config.WorkingDir
  const request = {layers: paths, root, ledger, workingFolder, owners} as const
  const losses = await mergeLayers(await treeProcess(host, identity), request, {signal})
  const reports = layers.map(({layer}) => layer.report)
  return {
    report: {...sumOfReports(reports), losses},
    evidence: await image.verify(),
    stored: layers.map(({id}) => id),
  }
}

type LayerWork = ContainerOptions & {
  readonly layer: ContainerLayer
  readonly progress: ReturnType<typeof openProgress>
}

async function storeLayer(host: Host, image: LayerSource, work: LayerWork): Promise<PresentLayer> {
  const {layer, identity, signal, progress} = work
  const {paths} = host
  const id = await storedLayerId(host, identity, layer.diffId)
  const known = readStoredLayer(paths, id)
  if (known !== undefined) return progress.found(layer, {id, layer: known})
  const onWait = () => progress.wait(layer)
  // Another command may unpack the same layer for another image.
  const lock = await lockImageForFetching(paths.images, layer.diffId, {signal, onWait})
  try {
    const made = readStoredLayer(paths, id) ?? (await makeLayer(host, image, {...work, id}))
    return progress.found(layer, {id, layer: made})
  } finally {
    lock.release()
  }
}

async function makeLayer(
  host: Host,
  image: LayerSource,
  work: LayerWork & {readonly id: LayerId},
): Promise<StoredLayer> {
  const {layer, identity, id, isSynced} = work
  const partial = newStoredLayer(host.paths, identity)
  await makeFolders(host.paths.layers, {mode: 0o700})
  await mkdir(partial.folder, {mode: 0o700})
  try {
    const {diffId: _, ...report} = await fillLayer(host, image, {...work, partial})
    const blob = {digest: hexOf(layer.blob.digest), sizeBytes: layer.blob.size}
    const made = {diffId: layer.diffId, blob, report}
    if (isSynced) await syncFileSystem(partial.folder)
    await publishStoredLayer(host, partial, {id, layer: made})
    return made
  } catch (error) {
    await removeLayerFolder(host, {identity, folder: partial.folder})
    throw error
  }
}

type FillOptions = LayerWork & {readonly partial: StoredLayerPaths}

/** Downloads and unpacks a layer at the same time; again from its first byte if the kept part of it is damaged. */
async function fillLayer(host: Host, image: LayerSource, work: FillOptions): Promise<LayerReport> {
  const {layer, signal, partial, identity} = work
  const {images} = host.paths
  const digest = hexOf(layer.blob.digest)
  if (image.container.registry === null) return unpackBlob(host, image, {...work, part: undefined})
  // An uncompressed layer has one digest, whose lock the caller holds.
  const isLocked = digest === layer.diffId
  const lock = isLocked ? undefined : await lockImageForFetching(images, digest, {signal, onWait: () => {}})
  const part = partialFiles(images, digest).archive
  try {
    const report = await unpackBlob(host, image, {...work, part}).catch(async (error: unknown) => {
      if (!(error instanceof ResumedPartDamaged)) throw error
      await discardPart(part)
      await removeLayerFolder(host, {identity, folder: partial.folder})
      await mkdir(partial.folder, {mode: 0o700})
      return unpackBlob(host, image, {...work, part})
    })
    await discardPart(part)
    return report
  } catch (error) {
    // Never the beginning of a later download.
    if (error instanceof DigestMismatchError) await discardPart(part)
    throw error
  } finally {
    lock?.release()
  }
}

/** Not an error for the user: the layer is fetched once more. */
class ResumedPartDamaged extends Error {}

async function unpackBlob(
  host: Host,
  {container, blobs}: LayerSource,
  {layer, identity, signal, partial, progress, part}: FillOptions & {readonly part: string | undefined},
): Promise<LayerReport> {
  const {tree, changes, ledger} = partial
  const name = container.name
  const reader = openBlob(blobs, layer.blob, {
    name,
    part,
    signal,
    onRead: (bytes) => progress.read(layer, bytes),
  })
  const request = {tree, changes, ledger, part, owners: identity === 'mapped' ? 'keep' : 'caller'} as const
  const onProgress = (written: {entries: number; bytes: number}) => progress.written(layer, written)
  const work = extractLayer(await treeProcess(host, identity), reader.bytes, request, {signal, onProgress})
  const report = await work.catch(async (error: unknown) => {
    // Damaged bytes show as a damaged archive first.
    if (error instanceof WorkerFailure && error.exitCode === ExitCode.integrity) await verifyBlob(reader)
    throw error
  })
  await verifyBlob(reader)
  if (report.diffId !== layer.diffId)
    throw digestMismatchError({source: name, expected: layer.diffId, actual: report.diffId})
  return report
}

async function verifyBlob(reader: BlobReader): Promise<void> {
  try {
    await reader.verify()
  } catch (error) {
    if (error instanceof DigestMismatchError && reader.isResumed()) throw new ResumedPartDamaged()
    throw error
  }
}

function sumOfReports(reports: readonly StoredLayer['report'][]): Unpacked['report'] {
  const [first] = reports
  if (first === undefined) throw new Error('an image has a layer at least')
  const sum = (value: (report: StoredLayer['report']) => number) =>
    reports.reduce((total, report) => total + value(report), 0)
  return {
    ...first,
    entries: sum(({entries}) => entries),
    totalBytes: sum(({totalBytes}) => totalBytes),
    skippedDevices: sum(({skippedDevices}) => skippedDevices),
    squashedOwners: {
      count: sum(({squashedOwners}) => squashedOwners.count),
      ids: [...new Set(reports.flatMap(({squashedOwners}) => squashedOwners.ids))],
    },
    fileCapabilities: sum(({fileCapabilities}) => fileCapabilities),
  }
}

/** Collects the progress of layers that are unpacked at the same time. */
function openProgress(layers: readonly ContainerLayer[], onProgress: ContainerOptions['onProgress']) {
  const states = new Map<Sha256, LayerProgress & {entries: number; bytes: number}>(
    layers.map(({diffId, blob}) => [
      diffId,
      {
        digest: hexOf(blob.digest),
        state: 'pending',
        readBytes: 0,
        totalBytes: blob.size,
        entries: 0,
        bytes: 0,
      },
    ]),
  )
  const change = (layer: ContainerLayer, part: Partial<LayerProgress & {entries: number; bytes: number}>) => {
    const state = states.get(layer.diffId)
    if (state === undefined) return
    states.set(layer.diffId, {...state, ...part})
    const all = [...states.values()]
    const sum = (value: (each: (typeof all)[number]) => number) =>
      all.reduce((total, each) => total + value(each), 0)
    onProgress({
      entries: sum(({entries}) => entries),
      bytes: sum(({bytes}) => bytes),
      archive: {readBytes: sum(({readBytes}) => readBytes), totalBytes: sum(({totalBytes}) => totalBytes)},
      layers: all.map(({digest, state: word, readBytes, totalBytes}) => ({
        ...{digest, state: word, readBytes, totalBytes},
      })),
    })
  }
  return {
    read: (layer: ContainerLayer, readBytes: number) => change(layer, {state: 'active', readBytes}),
    written: change,
    wait: (layer: ContainerLayer) => change(layer, {state: 'waiting'}),
    found(layer: ContainerLayer, there: PresentLayer): PresentLayer {
      const {entries, totalBytes: bytes} = there.layer.report
      change(layer, {state: 'done', readBytes: layer.blob.size, entries, bytes})
      return there
    },
  }
}
