import {mkdir, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import * as v from 'valibot'
import {bytesOf} from '../config/schema.js'
import {isFailure} from '../host/errno.js'
import {makeFolders, syncFileSystem} from '../host/files.js'
import type {Host} from '../host/host.js'
import {capture} from '../host/process.js'
import {openTrial} from '../host/trials.js'
import {copyTree} from '../rootfs/copy.js'
import {overlayTrial} from '../sandbox/engines/overlay.js'
import {type Identity, namespacePrefix} from '../sandbox/identity.js'
import {
  dropMemory,
  endMemory,
  enterMemory,
  type HeldMemory,
  holdMemory,
  recordMemory,
} from '../sandbox/tmpfs.js'
import type {Environment, EnvironmentFiles, EnvironmentName} from '../store/environments.js'
import {removeLayerFolder, removeUnlessNamed, sweepLayers} from '../store/gc.js'
import {readHistory, topLayer, withSnapshot, writeHistory} from '../store/history.js'
import {
  beginLayer,
  completeLayer,
  filesIn,
  identityOf,
  type LayerId,
  layerFiles,
  makeUpper,
  newLayerId,
} from '../store/layers.js'
import {holdLayers} from '../store/locks.js'
import {layersProcess, upperHolder} from '../store/mounted-tree.js'
import {toolPath, treeProcess} from '../store/tools.js'
import {withTrialFolder} from '../store/trial-folder.js'

/**
 * Copies the in-memory upper layer of a stopped environment to the disk, under its exclusive lock. One write of its history
 * publishes the copy, so an interrupted call loses nothing.
 *
 * @throws {@link tryLostError} @throws As `copyTree`.
 */
export async function settleMemory(
  host: Host,
  subject: Pick<Environment, 'name' | 'files' | 'record'>,
): Promise<void> {
  const {files, record} = subject
  if (record.storage !== 'overlay') return
  const history = await readHistory(files.history)
  if (upperHolder(subject, history) === undefined) return
  const {layers} = host.paths
  const held = await holdLayers(host.paths)
  const copy = newLayerId(record.identity)
  const {folder, tree} = layerFiles(layers, copy)
  try {
    beginLayer(layers, copy)
    const plan = {
      cp: toolPath(host, 'cp'),
      from: layerFiles(layers, history.upper).tree,
      to: tree,
      keepOwners: record.identity === 'mapped',
    }
    const reader = await layersProcess(host, subject, history)
    await copyTree(reader, plan, {signal: new AbortController().signal})
    await makeUpper(layers, copy, {below: topLayer(history.layers)})
    await syncFileSystem(folder)
    await writeHistory(files.history, {...history, upper: copy})
    completeLayer(layers, copy)
  } catch (error) {
    await removeUnlessNamed(host, files, copy)
    throw error
  } finally {
    held.release()
  }
  await dropMemory(files.run)
  await sweepLayers(host, new Set([history.upper]))
}

type MemoryUpper = {
  readonly name: EnvironmentName
  readonly files: Pick<EnvironmentFiles, 'run' | 'history'>
  readonly bytes: number
  /** How long the files outlive the process that made them. */
  readonly keptForMs: number
}

/** The upper layer of an environment in memory. */
export type MemoryLayer = Pick<HeldMemory, 'outlive'> & {readonly upper: LayerId}

/**
 * Gives a new environment an upper layer in memory, above the layer that it was created with.
 *
 * @returns undefined where the tmpfs can't be mounted: the environment is unchanged, on the disk.
 */
export async function moveUpperIntoMemory(
  host: Host,
  {name, files, bytes, keptForMs}: MemoryUpper,
): Promise<MemoryLayer | undefined> {
  const history = await readHistory(files.history)
  const {layers} = host.paths
  const identity = identityOf(history.upper)
  const fresh = newLayerId(identity)
  const {folder} = layerFiles(layers, fresh)
  const {mode} = await stat(layerFiles(layers, history.upper).tree)
  await makeUpper(layers, fresh, {below: history.upper})
  const tools = await memoryTools(host, identity)
  const holder = await holdMemory({...tools, at: folder, mode, bytes, keptForMs})
  if (holder === undefined) {
    await removeLayerFolder(host, {identity, folder})
    return undefined
  }
  await makeFolders(files.run, {mode: 0o700})
  await recordMemory(files.run, fresh, holder)
  const naming = {label: 'initial', kind: 'initial', name} as const
  await writeHistory(files.history, withSnapshot(history, naming, {now: host.now(), fresh}))
  return {upper: fresh, outlive: holder.outlive}
}

/** Part of the free memory: the rest is for the other processes of the host. */
const FREE_MEMORY_SHARE = 1 / 4
/** A smaller layer would be full after one or two packages. */
const MIN_SHARE_BYTES = 512 * 1024 ** 2
/** overlayfs and the first files of an environment fit into this size. */
const MIN_LAYER_BYTES = 1_000_000

const TRIAL_TIMEOUT_MS = 10_000

/**
 * Returns the size of the memory layer of a new throwaway environment, in bytes.
 *
 * @param options.setting - The user's limit; undefined for a share of the free memory.
 * @param options.freeBytes - Free memory of the machine, or of the control group of this process.
 * @returns undefined where the files belong on the disk: too little memory, or a tmpfs can't hold layers here.
 */
export async function memoryFor(
  host: Host,
  identity: Identity,
  {setting, freeBytes}: {setting: string | undefined; freeBytes: number},
): Promise<number | undefined> {
  const bytes = memoryShare(setting, freeBytes)
  return bytes !== undefined && (await canHoldLayers(host, identity)) ? bytes : undefined
}

/** Returns the size of a memory layer; undefined where it would be too small. */
export function memoryShare(setting: string | undefined, freeBytes: number): number | undefined {
  if (setting === undefined) {
    const share = Math.floor(freeBytes * FREE_MEMORY_SHARE)
    return share < MIN_SHARE_BYTES ? undefined : share
  }
  const bytes = Math.min(bytesOf(setting), freeBytes)
  return bytes < MIN_LAYER_BYTES ? undefined : bytes
}

/** Returns the cached result of a trial. */
async function canHoldLayers(host: Host, identity: Identity): Promise<boolean> {
  if (host.which('bwrap') === undefined) return false
  const {cache: cacheFolder} = host.paths
  const trial = openTrial(host, {cacheFolder, name: `memory-${identity}`, schema: v.boolean()})
  return trial.once(() => tryMemoryLayer(host, identity))
}

/** Mounts an overlay on a tmpfs, with extended attributes, from a second process that enters the mount namespace. */
function tryMemoryLayer(host: Host, identity: Identity): Promise<boolean> {
  return withTrialFolder(host, identity, (folder) => tryMemoryLayerIn(folder, host, identity))
}

async function tryMemoryLayerIn(folder: string, host: Host, identity: Identity): Promise<boolean> {
  const [lower, upper, merged] = ['lower', 'upper', 'merged'].map((name) => join(folder, name))
  if (lower === undefined || upper === undefined || merged === undefined) return false
  try {
    for (const each of [lower, upper, merged, join(lower, 'inner')]) await mkdir(each)
    for (const file of ['kept', 'gone', 'inner/file']) await writeFile(join(lower, file), 'x')
    const holder = await holdMemory({
      ...(await memoryTools(host, identity)),
      at: upper,
      mode: 0o755,
      bytes: MIN_LAYER_BYTES,
      keptForMs: 0,
    })
    if (holder === undefined) return false
    const {tree, work} = filesIn(upper)
    const argv = overlayTrial({
      bwrap: toolPath(host, 'bwrap'),
      // The prefix enters an existing user namespace: bwrap must not make one, with either identity.
      identity: 'mapped',
      prefix: enterMemory(holder, toolPath(host, 'nsenter')),
      folders: {lower, upper: tree, work, merged},
    })
    const {status} = await capture(argv, {timeout: TRIAL_TIMEOUT_MS})
    await endMemory(holder)
    return status === 0
  } catch (error) {
    // A tool is missing, or does not start.
    if (!isFailure(error)) throw error
    return false
  }
}

/** Returns the tools of the host that {@link holdMemory} uses. */
async function memoryTools(host: Host, identity: Identity) {
  const {environment} = await treeProcess(host, identity)
  return {
    prefix: await namespacePrefix(identity, host),
    unshare: toolPath(host, 'unshare'),
    mount: toolPath(host, 'mount'),
    environment,
  }
}
