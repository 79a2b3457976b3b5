import {statSync} from 'node:fs'
import {utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import * as v from 'valibot'
import {bytesOf} from '../config/schema.js'
import {ignoring, isErrno} from '../host/errno.js'
import {readSmallFile, writeFileAtomic} from '../host/files.js'
import type {Host} from '../host/host.js'
import type {Paths} from '../host/paths.js'
import {numberField, parseIfValid, type RecordOf, timeField} from '../host/records.js'
import {WorkerDiedError} from '../rootfs/errors.js'
import {measureTrees} from '../rootfs/worker/api.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {type Identity, IdentityUnavailableError} from '../sandbox/identity.js'
import {type Environment, findWholeEnvironment, listNames} from './environments.js'
import {HistoryUnreadableError} from './errors.js'
import {countClaims} from './gc.js'
import {layersOf} from './history.js'
import {identityOf, type LayerId, layerFiles, layerIdField, listLayers, readLayerRecord} from './layers.js'
import {readGuestTree} from './mounted-tree.js'
import {treeProcess} from './tools.js'

export type OverBudget = {readonly usedBytes: number; readonly budgetBytes: number}

/** @param budget - The setting's value. @returns undefined without one, or within it. */
export async function overBudget(host: Host, budget: string | undefined): Promise<OverBudget | undefined> {
  if (budget === undefined) return undefined
  const budgetBytes = bytesOf(budget)
  const usedBytes = await storeBytes(host)
  return usedBytes > budgetBytes ? {usedBytes, budgetBytes} : undefined
}

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
async function storeBytes(host: Host): Promise<number> {
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

const usageSchema = v.object({
  sizeBytes: numberField,
  measuredAt: timeField,
  /** Which layer the tree is; undefined for a whole tree of its own. */
  layer: v.optional(layerIdField),
})

/** Allocated bytes of one tree, and when they were counted. */
export type Usage = RecordOf<typeof usageSchema>

/**
 * Not synced: what is lost is counted again.
 *
 * @param folder - An environment's, for what it writes to; or the one of a layer that changes no more.
 */
export async function recordUsage(folder: string, {sizeBytes, measuredAt, layer}: Usage): Promise<void> {
  const json = JSON.stringify({schemaVersion: 1, sizeBytes, measuredAt: measuredAt.toISOString(), layer})
  await writeFileAtomic(usagePath(folder), `${json}\n`, {mode: 0o600, isSynced: false})
}

/** @returns undefined where nothing was recorded. */
async function readUsage(folder: string): Promise<Usage | undefined> {
  try {
    return parseUsage(readSmallFile(usagePath(folder)))
  } catch {
    return undefined
  }
}

/** Notes that a session begins; `list` shows it, and it makes the recorded size old. */
export async function recordUse(folder: string, now: Date): Promise<void> {
  const path = lastUsePath(folder)
  await utimes(path, now, now).catch(() => writeFile(path, '', {mode: 0o600}))
}

/** When the last session began; undefined before the first. */
export async function lastUse(folder: string): Promise<Date | undefined> {
  return statSync(lastUsePath(folder), {throwIfNoEntry: false})?.mtime
}

/** A record that can't be read is as good as none: the tree is measured again. */
export function parseUsage(text: string): Usage | undefined {
  return parseIfValid(text, usageSchema)
}

function usagePath(folder: string): string {
  return join(folder, 'usage.json')
}

function lastUsePath(folder: string): string {
  return join(folder, 'last-used')
}
