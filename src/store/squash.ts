import {syncFileSystem} from '../host/files.js'
import type {Host} from '../host/host.js'
import {type DebArchitecture, systemCalls} from '../host/machine/arch.js'
import {capture, requirePerl, scriptWords} from '../host/process.js'
import type {Environment} from './environments.js'
import {layerSpaceError, squashFailedError} from './errors.js'
import {removeLayerFolder} from './gc.js'
import type {History, Layers} from './history.js'
import {type LayerId, layerFiles, makeLayerFolder, newLayerId} from './layers.js'
import {storePathTooLongError} from './snapshot-errors.js'
import {rootProcess} from './tools.js'

type SquashedEnvironment = Pick<Environment, 'name' | 'record'>

/**
 * Returns the history with a stack that can be mounted: merges neighbouring layers of a deep stack into new layers, which no
 * history names until the caller writes the returned one. The environment must be stopped, and the caller holds the lock of the
 * layers until it has written the history.
 *
 * @param isSynced - Whether to sync the new layers to the disk.
 * @throws {@link storePathTooLongError} @throws {PerlMissingError} @throws {@link squashFailedError} @throws {LayerSpaceError}
 */
export async function squashToLimit(
  host: Host,
  environment: SquashedEnvironment,
  {history, isSynced}: {history: History; isSynced: boolean},
): Promise<History> {
  const most = mostLayers(host.paths.layers, history.upper)
  if (history.layers.length <= most) return history
  // Far below the limit, so that the next snapshot does not reach it again.
  const plan = planSquash(history, Math.max(LEAST_LAYERS, Math.floor((most * 2) / 3)))
  if (plan === undefined || most < LEAST_LAYERS)
    throw storePathTooLongError({name: environment.name, folder: host.paths.layers})
  const perl = requirePerl(host)
  const made: LayerId[] = []
  try {
    let merged = history
    for (const run of plan) {
      const into = newLayerId(environment.record.identity)
      made.push(into)
      await merge(host, environment, {run, into, perl})
      merged = withSquashed(merged, run, into)
    }
    if (isSynced) await syncFileSystem(host.paths.layers)
    return merged
  } catch (error) {
    for (const id of made) await removeLayer(host, environment, id)
    throw error
  }
}

async function merge(
  host: Host,
  {record}: SquashedEnvironment,
  {run, into, perl}: {run: Run; into: LayerId; perl: string},
): Promise<void> {
  const {layers} = host.paths
  await makeLayerFolder(layers, into)
  const {prefix, environment} = await rootProcess(host, record.identity)
  const {architecture} = host
  await mergeLayers({perl, architecture, prefix, environment}, {layers, run, into})
}

async function removeLayer(host: Host, {record}: SquashedEnvironment, id: LayerId): Promise<void> {
  const {folder} = layerFiles(host.paths.layers, id)
  await removeLayerFolder(host, {identity: record.identity, folder})
}

/** Exit status of templates/host/files/squash.pl on a full disk: ENOSPC. */
const FULL_STATUS = 28

type Merger = {
  /** Absolute path of the Perl that runs the program. */
  readonly perl: string
  readonly architecture: DebArchitecture
  /** Prefix that makes the program root of a user namespace with the layers' owners. */
  readonly prefix: readonly string[]
  readonly environment: NodeJS.ProcessEnv
}

/**
 * Fills a new layer's folder with one tree that replaces the layers of a run, by hard links to their files.
 *
 * @param layers - The folder of all layers.
 * @param into - The new layer; its folder exists, its tree does not.
 * @throws {LayerSpaceError} @throws {@link squashFailedError} The caller removes the incomplete layer.
 */
export async function mergeLayers(
  {perl, architecture, prefix, environment}: Merger,
  {layers, run, into}: {layers: string; run: Run; into: LayerId},
): Promise<void> {
  const {fsetxattr, statx, utimensat} = systemCalls(architecture)
  const argv = [
    ...[...prefix, ...scriptWords(perl, 'files/squash')],
    ...[fsetxattr, statx, utimensat].map(String),
    ...[into, ...[...run].reverse()].map((id) => layerFiles(layers, id).tree),
  ]
  const {status, stderr} = await capture(argv, {cwd: '/', env: {...environment, LC_ALL: 'C'}})
  if (status === FULL_STATUS) throw layerSpaceError({folder: layers})
  if (status !== 0) throw squashFailedError({}, {cause: new Error(stderr.slice(0, 4096))})
}

/** Neighbouring layers, from the bottom upwards, that can be merged into one. */
export type Run = readonly [LayerId, LayerId, ...LayerId[]]

/** A stack has the layer of the image and a merged one at least. */
const LEAST_LAYERS = 2

/**
 * Plans to reduce the stack below the upper layer to `most` layers: merges runs that no snapshot needs separately. If that is not
 * enough, merges the lowest layers above the image's for the present stack and for the snapshots that have all of them; older
 * snapshots keep the separate ones, whose files the merged layer shares.
 *
 * @returns Runs that do not overlap; undefined if `most` is less than two.
 */
export function planSquash(history: History, most: number): readonly Run[] | undefined {
  const runs = mergeableRuns(history)
  if (history.layers.length - runs.reduce((saved, run) => saved + run.length - 1, 0) <= most) return runs
  const [first, second, ...others] = history.layers.slice(1, history.layers.length - most + LEAST_LAYERS)
  return most < LEAST_LAYERS || first === undefined || second === undefined
    ? undefined
    : [[first, second, ...others]]
}

/**
 * Returns runs of the stack, without the image's layer, that each snapshot contains completely or not at all.
 */
export function mergeableRuns(history: History): Run[] {
  const {layers, snapshots} = history
  const bounds = new Set([1, layers.length, ...snapshots.map((each) => sharedDepth(layers, each.layers))])
  const runs: Run[] = []
  let start = 0
  for (const bound of [...bounds].sort((a, b) => a - b)) {
    const [first, second, ...others] = layers.slice(start, bound)
    if (start > 0 && first !== undefined && second !== undefined) runs.push([first, second, ...others])
    start = bound
  }
  return runs
}

/** Returns how many layers, from the bottom, two stacks share. */
function sharedDepth(a: Layers, b: Layers): number {
  let depth = 0
  while (depth < a.length && a[depth] === b[depth]) depth++
  return depth
}

/** Returns the history with one layer in place of a run, in all stacks. */
export function withSquashed(history: History, run: Run, into: LayerId): History {
  return {
    ...history,
    layers: replaceRun(history.layers, run, into),
    snapshots: history.snapshots.map((each) => ({...each, layers: replaceRun(each.layers, run, into)})),
  }
}

function replaceRun(layers: Layers, run: Run, into: LayerId): Layers {
  const [base, ...others] = layers
  const at = others.findIndex((_, index) => run.every((id, offset) => others[index + offset] === id))
  if (at === -1) return layers
  return [base, ...others.slice(0, at), into, ...others.slice(at + run.length)]
}

/** Lookups in a stack of this height are still fast. */
const MOST_LAYERS = 24
/** Part of mount(2)'s page for the layers below the upper one. */
const MOST_BYTES = 3000
/** bwrap writes each path with its `/oldroot`, and a colon. */
const OVERHEAD_BYTES = '/oldroot:'.length

/**
 * Returns the limit for the layers below an upper one in this store.
 *
 * @param layers - The folder of all layers.
 * @see mount(2): it silently truncates the options at a page.
 */
export function mostLayers(layers: string, id: LayerId): number {
  const bytes = Buffer.byteLength(layerFiles(layers, id).tree) + OVERHEAD_BYTES
  return Math.min(MOST_LAYERS, Math.floor(MOST_BYTES / bytes))
}
