import {ignoring, isErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {WorkerDiedError} from '../rootfs/errors.js'
import {measureTrees} from '../rootfs/tree-process.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {IdentityUnavailableError} from '../sandbox/ids/errors.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {HistoryUnreadableError} from '../storage/errors.js'
import {layersOf} from '../storage/history.js'
import {layerFiles, listLayers} from '../storage/layer-files.js'
import {identityOf, type LayerId} from '../storage/layer-id.js'
import {readGuestTree} from './guest-tree.js'
import {readLayerRecord} from './image-layer-record.js'
import {countClaims} from './layer-claims.js'
import {type Environment, findWholeEnvironment, listNames} from './store.js'
import {treeProcess} from './toolbox.js'
import {lastUse, readUsage, recordUsage} from './usage.js'

/** What an environment takes on the disk; allocated bytes. */
export type Sizes = {
  /** What removing it would give back. */
  readonly sizeBytes: number
  /** Of what it shares: layers of other environments, or of an image that is kept for the next one. */
  readonly sharedBytes: number
}

/** A tree that an environment is made of. */
export type Part = {
  /** Undefined for a whole tree of its own. */
  readonly layer: LayerId | undefined
  readonly isShared: boolean
  readonly sizeBytes: number
}

/** Sizes of environments, in their order: recorded ones where nothing can have changed since, else measured. */
export async function currentSizes(host: Host, environments: readonly Environment[]): Promise<Sizes[]> {
  return (await measureParts(host, environments)).map((parts) => ({
    sizeBytes: sum(parts.filter(({isShared}) => !isShared)),
    sharedBytes: sum(parts.filter(({isShared}) => isShared)),
  }))
}

/** What each environment is made of, in their order. */
export async function measureParts(host: Host, environments: readonly Environment[]): Promise<Part[][]> {
  const claims = await countClaims(host.paths)
  const places = await Promise.all(
    environments.map((environment) => placesOf(host.paths, environment).catch(nothingIfGone)),
  )
  await measureMissing(host, places.flat())
  return places.map((each) =>
    each.map(({layer, isImages, sizeBytes = 0}) => ({
      layer,
      isShared: layer !== undefined && (isImages || (claims.get(layer) ?? 0) > 1),
      sizeBytes,
    })),
  )
}

/** The sizes of layers that need be no environment's: what is measured is not written down. */
async function measureLayers(host: Host, layers: readonly LayerId[]): Promise<number[]> {
  const places = await Promise.all(
    layers.map(async (layer) => ({...(await placeOfLayer(host.paths, layer)), folder: undefined})),
  )
  await measureMissing(host, places)
  return places.map(({sizeBytes = 0}) => sizeBytes)
}

/** Another command has removed it meanwhile, or it is damaged: others are measured all the same. */
function nothingIfGone(error: unknown): Place[] {
  const isDamaged = error instanceof HistoryUnreadableError
  if (!isDamaged && !isErrno(error)) throw error
  return []
}

/** All that the store takes: environments, images, what is unpacked of them, and shared packages. */
export async function storeBytes(host: Host): Promise<number> {
  const {paths} = host
  const found = await Promise.all((await listNames(paths)).map((name) => findWholeEnvironment(paths, name)))
  const environments = found.filter((each) => each !== undefined)
  const parts = (await measureParts(host, environments)).flat()
  const named = new Map(parts.map(({layer, sizeBytes}) => [layer, sizeBytes]))
  const others = (await listLayers(paths.layers)).filter((layer) => !named.has(layer))
  // What guests wrote among the shared packages is the user's own, whatever its modes.
  const folders = await measureTrees(await treeProcess(host, 'emulated'), [paths.images, paths.packages])
  return [
    ...[...named].flatMap(([layer, sizeBytes]) => (layer === undefined ? [] : [sizeBytes])),
    ...parts.filter(({layer}) => layer === undefined).map(({sizeBytes}) => sizeBytes),
    ...(await measureLayers(host, others)),
    ...folders,
  ].reduce((total, sizeBytes) => total + sizeBytes, 0)
}

type Place = {
  readonly layer: LayerId | undefined
  readonly tree: string
  readonly identity: Identity
  readonly isImages: boolean
  /** Where its size is written down; undefined where it may still change. */
  readonly folder: string | undefined
  /** Undefined while it is not known. */
  sizeBytes: number | undefined
}

async function placesOf(paths: Paths, environment: Environment): Promise<Place[]> {
  const {files, record} = environment
  const tree = await readGuestTree(environment)
  const written = await freshUsage(environment)
  if (tree.kind === 'directory') {
    const own = {layer: undefined, tree: tree.root, identity: record.identity, isImages: false}
    return [{...own, folder: files.folder, sizeBytes: written?.sizeBytes}]
  }
  const {upper} = tree.history
  return Promise.all(
    [...layersOf(tree.history)].map(async (layer) => {
      if (layer !== upper) return {...(await placeOfLayer(paths, layer))}
      const sizeBytes = written?.layer === upper ? written.sizeBytes : undefined
      const own = {layer, tree: layerFiles(paths.layers, layer).tree, identity: identityOf(layer)}
      return {...own, isImages: false, folder: files.folder, sizeBytes}
    }),
  )
}

async function placeOfLayer(paths: Paths, layer: LayerId): Promise<Place> {
  const {folder, tree, record} = layerFiles(paths.layers, layer)
  const place = {layer, tree, identity: identityOf(layer)}
  const image = await readLayerRecord(record)
  if (image !== undefined) return {...place, isImages: true, folder: undefined, sizeBytes: image.treeBytes}
  return {...place, isImages: false, folder, sizeBytes: (await readUsage(folder))?.sizeBytes}
}

/** What was counted of the tree that an environment writes to, if nothing has run in it since. */
async function freshUsage({files}: Environment) {
  const usage = await readUsage(files.folder)
  const usedAt = await lastUse(files.folder)
  const isRunning = readLiveAnchor(files.run) !== undefined
  return usage === undefined || isRunning || (usedAt !== undefined && usedAt >= usage.measuredAt)
    ? undefined
    : usage
}

async function measureMissing(host: Host, places: readonly Place[]): Promise<void> {
  for (const identity of ['mapped', 'emulated'] as const) {
    const unknown = places.filter((place) => place.identity === identity && place.sizeBytes === undefined)
    // A layer that several environments share is looked at once.
    const trees = [...new Set(unknown.map(({tree}) => tree))]
    if (trees.length === 0) continue
    const measuredAt = host.now()
    const {measured, isWhole} = await measure(host, identity, trees)
    for (const place of unknown) {
      const sizeBytes = measured[trees.indexOf(place.tree)] ?? 0
      place.sizeBytes = sizeBytes
      if (place.folder === undefined || !isWhole) continue
      const usage = {sizeBytes, measuredAt, layer: place.layer}
      await recordUsage(place.folder, usage).catch(ignoring())
    }
  }
}

/** Where the ids of trees can't be had (a process with no new privileges), what their owner sees of them is a lower bound. */
async function measure(host: Host, identity: Identity, trees: readonly string[]) {
  try {
    return {measured: await measureTrees(await treeProcess(host, identity), trees), isWhole: true}
  } catch (error) {
    // The host may have taken a mapping away since it was last tried: then the program before the worker fails.
    const isRefused = error instanceof IdentityUnavailableError || error instanceof WorkerDiedError
    if (identity === 'emulated' || !isRefused) throw error
    return {measured: await measureTrees(await treeProcess(host, 'emulated'), trees), isWhole: false}
  }
}

function sum(parts: readonly Part[]): number {
  return parts.reduce((total, {sizeBytes}) => total + sizeBytes, 0)
}
