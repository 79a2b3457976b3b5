import {statSync} from 'node:fs'
import {utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import * as v from 'valibot'
import {bytesOf} from '../config/schema.js'
import {openMemory} from '../host/cache.js'
import {sha256Of} from '../host/digest.js'
import {ignoring, isErrno} from '../host/errno.js'
import {readSmallFile, writeFileAtomic} from '../host/files.js'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {numberField, parseIfValid, type RecordOf, timeField} from '../host/records.js'
import {WorkerDiedError} from '../rootfs/errors.js'
import {measureLinkedTrees, measureTrees} from '../rootfs/worker/api.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {type Identity, IdentityUnavailableError} from '../sandbox/identity.js'
import {type Environment, findRemoved, findWholeEnvironment, listNames, listRemoved} from './environments.js'
import {HistoryUnreadableError} from './errors.js'
import {countClaims} from './gc.js'
import {layersOf} from './history.js'
import {listStoredLayers, readStoredLayer} from './image-layers.js'
import {identityOf, type LayerId, layerFiles, layerIdField, listLayers, readLayerRecord} from './layers.js'
import {readGuestTree} from './mounted-tree.js'
import {treeProcess} from './tools.js'

export type OverBudget = {readonly usedBytes: number; readonly budgetBytes: number}

/** Returns how far the store exceeds the budget; undefined without a budget, or within it. @param budget - The setting's value. */
export async function overBudget(host: Host, budget: string | undefined): Promise<OverBudget | undefined> {
  if (budget === undefined) return undefined
  const budgetBytes = bytesOf(budget)
  const usedBytes = await storeBytes(host)
  return usedBytes > budgetBytes ? {usedBytes, budgetBytes} : undefined
}

/** Allocated bytes of an environment on the disk. */
export type Sizes = {
  /** Freed when the environment is removed. */
  readonly sizeBytes: number
  /** Layers that the environment shares with others, or with an image that stays in the store. */
  readonly sharedBytes: number
}

/** One of the trees of an environment. */
export type Part = {
  /** Undefined for the whole tree of `directory` storage. */
  readonly layer: LayerId | undefined
  readonly isShared: boolean
  /** Whether it is the layer of an image, which stays in the store. */
  readonly isImages: boolean
  readonly sizeBytes: number
}

/** Returns the sizes of environments, in their order; measures trees that may have changed since their size was recorded. */
export async function currentSizes(host: Host, environments: readonly Environment[]): Promise<Sizes[]> {
  return (await measureParts(host, environments)).map((parts) => ({
    sizeBytes: sum(parts.filter(({isShared}) => !isShared)),
    sharedBytes: sum(parts.filter(({isShared}) => isShared)),
  }))
}

/** Returns the trees of each environment with their sizes, in the order of the environments. */
export async function measureParts(host: Host, environments: readonly Environment[]): Promise<Part[][]> {
  const claims = await countClaims(host.paths)
  const isShared = ({layer, isImages}: MeasuredTree) =>
    layer !== undefined && (isImages || (claims.get(layer) ?? 0) > 1)
  const trees = await Promise.all(
    environments.map((environment) => treesOf(host.paths, environment).catch(nothingIfGone)),
  )
  await measureMissing(host, trees.flat())
  // Shared layers first: they stay when the environment is removed, with the files that its own layers link.
  for (const each of trees)
    await countLinkedOnce(host, [...each.filter(isShared), ...each.filter((tree) => !isShared(tree))])
  return trees.map((each) =>
    each.map((tree) => ({
      layer: tree.layer,
      isShared: isShared(tree),
      isImages: tree.isImages,
      sizeBytes: tree.sizeBytes ?? 0,
    })),
  )
}

/** Returns the sizes of layers that no environment need use; does not record them. */
async function measureLayers(host: Host, layers: readonly LayerId[]): Promise<number[]> {
  const trees = await Promise.all(
    layers.map(async (layer) => ({...(await treeOfLayer(host.paths, layer)), folder: undefined})),
  )
  await measureMissing(host, trees)
  return trees.map(({sizeBytes = 0}) => sizeBytes)
}

/** Skips an environment that was removed meanwhile, or is damaged. */
function nothingIfGone(error: unknown): MeasuredTree[] {
  const isDamaged = error instanceof HistoryUnreadableError
  if (!isDamaged && !isErrno(error)) throw error
  return []
}

/** Returns the size of the store: environments, also removed ones, images, their layers, and the package cache. */
async function storeBytes(host: Host): Promise<number> {
  const {paths} = host
  const found = await Promise.all([
    ...(await listNames(paths)).map((name) => findWholeEnvironment(paths, name)),
    ...listRemoved(paths).map((removed) => findRemoved(paths, removed)),
  ])
  const environments = found.filter((each) => each !== undefined)
  const parts = (await measureParts(host, environments)).flat()
  const named = new Map(parts.map(({layer, sizeBytes}) => [layer, sizeBytes]))
  const others = (await listLayers(paths.layers)).filter((layer) => !named.has(layer))
  // The user owns the package cache and can measure it, although guests wrote there.
  const folders = await measureTrees(await treeProcess(host, 'emulated'), [paths.images, paths.packages])
  return [
    ...[...named].flatMap(([layer, sizeBytes]) => (layer === undefined ? [] : [sizeBytes])),
    ...parts.filter(({layer}) => layer === undefined).map(({sizeBytes}) => sizeBytes),
    ...(await measureLayers(host, others)),
    ...(await storedLayerSizes(host)),
    ...folders,
  ].reduce((total, sizeBytes) => total + sizeBytes, 0)
}

/** Returns the sizes of stored layers of images that no tree shares its files with. */
async function storedLayerSizes({paths}: Host): Promise<number[]> {
  const records = await Promise.all(
    (await listLayers(paths.layers)).map((id) => readLayerRecord(layerFiles(paths.layers, id).record)),
  )
  const shared = new Set(records.flatMap((record) => record?.stored ?? []))
  const own = listStoredLayers(paths).filter((id) => !shared.has(id))
  return own.map((id) => readStoredLayer(paths, id)?.report.totalBytes ?? 0)
}

type MeasuredTree = {
  readonly layer: LayerId | undefined
  /** Whether only snapshots name it: a merged layer in the present stack may have hard links to its files. */
  readonly isApart?: boolean
  readonly tree: string
  readonly identity: Identity
  readonly isImages: boolean
  /** The folder that records the size; undefined when the size is not recorded there. */
  readonly folder: string | undefined
  /** Undefined while it is unknown. */
  sizeBytes: number | undefined
}

async function treesOf(paths: Paths, environment: Environment): Promise<MeasuredTree[]> {
  const {files, record} = environment
  const tree = await readGuestTree(environment)
  const written = await freshUsage(environment)
  if (tree.kind === 'directory') {
    const own = {layer: undefined, tree: tree.root, identity: record.identity, isImages: false}
    return [{...own, folder: files.folder, sizeBytes: written?.sizeBytes}]
  }
  const {upper, layers} = tree.history
  return Promise.all(
    [...layersOf(tree.history)].map(async (layer) => {
      if (layer !== upper) return {...(await treeOfLayer(paths, layer)), isApart: !layers.includes(layer)}
      const sizeBytes = written?.layer === upper ? written.sizeBytes : undefined
      const own = {layer, tree: layerFiles(paths.layers, layer).tree, identity: identityOf(layer)}
      return {...own, isImages: false, folder: files.folder, sizeBytes}
    }),
  )
}

async function treeOfLayer(paths: Paths, layer: LayerId): Promise<MeasuredTree> {
  const {folder, tree, record} = layerFiles(paths.layers, layer)
  const own = {layer, tree, identity: identityOf(layer)}
  const image = await readLayerRecord(record)
  if (image !== undefined) return {...own, isImages: true, folder: undefined, sizeBytes: image.treeBytes}
  return {...own, isImages: false, folder, sizeBytes: (await readUsage(folder))?.sizeBytes}
}

/** Returns the recorded size of the tree that an environment writes to, if no session began since. */
async function freshUsage({files}: Environment) {
  const usage = await readUsage(files.folder)
  const usedAt = await lastUse(files.folder)
  const isRunning = readLiveAnchor(files.run) !== undefined
  return usage === undefined || isRunning || (usedAt !== undefined && usedAt >= usage.measuredAt)
    ? undefined
    : usage
}

async function measureMissing(host: Host, trees: readonly MeasuredTree[]): Promise<void> {
  for (const identity of ['mapped', 'emulated'] as const) {
    const unknown = trees.filter((each) => each.identity === identity && each.sizeBytes === undefined)
    // Measure a layer that several environments share once.
    const paths = [...new Set(unknown.map(({tree}) => tree))]
    if (paths.length === 0) continue
    const measuredAt = host.now()
    const {measured, isWhole} = await measure(host, identity, paths)
    for (const each of unknown) {
      const sizeBytes = measured[paths.indexOf(each.tree)] ?? 0
      each.sizeBytes = sizeBytes
      if (each.folder === undefined || !isWhole) continue
      const usage = {sizeBytes, measuredAt, layer: each.layer}
      await recordUsage(each.folder, usage).catch(ignoring())
    }
  }
}

/** Number of environments whose linked layers are remembered. */
const MOST_LINKED = 64

/**
 * Replaces the sizes of the layers of one environment: a file with hard links in several of them counts for the first alone.
 * The layers of a stack never change, so the sizes are remembered by their names.
 */
async function countLinkedOnce(host: Host, trees: readonly MeasuredTree[]): Promise<void> {
  if (!trees.some(({isApart}) => isApart)) return
  const sealed = trees.filter(({isApart, isImages}) => isApart !== undefined && !isImages)
  const path = join(host.paths.cache, 'linked-sizes.json')
  const memory = openMemory(path, {schema: v.array(numberField), most: MOST_LINKED})
  const key = sha256Of(sealed.map(({layer}) => layer).join('\n'))
  const known = memory.recall(key)
  const {measured, isWhole} =
    known === undefined ? await measureLinked(host, sealed) : {measured: known, isWhole: true}
  for (const [index, each] of sealed.entries()) each.sizeBytes = measured[index] ?? 0
  if (known === undefined && isWhole) await memory.remember(key, measured)
}

function measureLinked(host: Host, trees: readonly MeasuredTree[]) {
  const paths = trees.map(({tree}) => tree)
  return measure(host, trees[0]?.identity ?? 'emulated', paths, measureLinkedTrees)
}

/** Measures trees as root of their identity. When the uid map is refused (no_new_privs), the user's own view is a lower bound. */
async function measure(
  host: Host,
  identity: Identity,
  trees: readonly string[],
  measureBy = measureTrees,
): Promise<{measured: number[]; isWhole: boolean}> {
  try {
    return {measured: await measureBy(await treeProcess(host, identity), trees), isWhole: true}
  } catch (error) {
    // The host may have removed a uid map since the last trial: then the program before the worker fails.
    const isRefused = error instanceof IdentityUnavailableError || error instanceof WorkerDiedError
    if (identity === 'emulated' || !isRefused) throw error
    return {measured: await measureBy(await treeProcess(host, 'emulated'), trees), isWhole: false}
  }
}

function sum(parts: readonly Part[]): number {
  return parts.reduce((total, {sizeBytes}) => total + sizeBytes, 0)
}

const usageSchema = v.object({
  sizeBytes: numberField,
  measuredAt: timeField,
  /** The layer of the tree; undefined for the whole tree of `directory` storage. */
  layer: v.optional(layerIdField),
})

/** Allocated bytes of one tree, and the time of the measurement. */
export type Usage = RecordOf<typeof usageSchema>

/**
 * Records the size of a tree. Not synced: a lost record is measured again.
 *
 * @param folder - The environment's, for the tree that it writes to; or the folder of a read-only layer.
 */
export async function recordUsage(folder: string, {sizeBytes, measuredAt, layer}: Usage): Promise<void> {
  const json = JSON.stringify({schemaVersion: 1, sizeBytes, measuredAt: measuredAt.toISOString(), layer})
  await writeFileAtomic(usagePath(folder), `${json}\n`, {mode: 0o600, isSynced: false})
}

/** @returns undefined without a readable record. */
async function readUsage(folder: string): Promise<Usage | undefined> {
  try {
    return parseUsage(readSmallFile(usagePath(folder)))
  } catch {
    return undefined
  }
}

/** Records that a session begins. `list` shows the time, and the recorded size is stale after it. */
export async function recordUse(folder: string, now: Date): Promise<void> {
  const path = lastUsePath(folder)
  await utimes(path, now, now).catch(() => writeFile(path, '', {mode: 0o600}))
}

/** Returns when the last session began; undefined before the first. */
export async function lastUse(folder: string): Promise<Date | undefined> {
  return statSync(lastUsePath(folder), {throwIfNoEntry: false})?.mtime
}

/** Parses a record; undefined for an invalid one, so that the tree is measured again. */
export function parseUsage(text: string): Usage | undefined {
  return parseIfValid(text, usageSchema)
}

function usagePath(folder: string): string {
  return join(folder, 'usage.json')
}

function lastUsePath(folder: string): string {
  return join(folder, 'last-used')
}
