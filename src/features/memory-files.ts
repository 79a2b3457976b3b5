import {mkdir, mkdtemp, rm, stat, writeFile} from 'node:fs/promises'
import {release} from 'node:os'
import {join} from 'node:path'
import * as v from 'valibot'
import {bytesOf} from '../config/schema.js'
import {fileFacts, openMemory, probeOnce} from '../host/cache.js'
import {isFailure} from '../host/errno.js'
import {makeFolders, syncFileSystem} from '../host/files.js'
import type {Host} from '../host/host.js'
import {capture} from '../host/process.js'
import {copyTree} from '../rootfs/copy.js'
import {overlayTrial} from '../sandbox/engines/overlay.js'
import {type Identity, namespacePrefix} from '../sandbox/identity.js'
import {dropMemory, endMemory, enterMemory, holdMemory, recordMemory} from '../sandbox/tmpfs.js'
import type {Environment, EnvironmentFiles, EnvironmentName} from '../store/environments.js'
import {removeLayerFolder, removeUnlessNamed, sweepLayers} from '../store/gc.js'
import {readHistory, topLayer, withSnapshot, writeHistory} from '../store/history.js'
import {filesIn, identityOf, type LayerId, layerFiles, makeUpper, newLayerId} from '../store/layers.js'
import {holdLayers} from '../store/locks.js'
import {layersProcess, upperHolder} from '../store/mounted-tree.js'
import {toolPath, treeProcess} from '../store/tools.js'

/**
 * Copies what an environment at rest has in memory to the disk, under its exclusive lock. One write of its history is the
 * step; whenever it is broken off, nothing is lost.
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
    await mkdir(folder, {mode: 0o700})
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
  } catch (error) {
    await removeUnlessNamed(host, files, copy)
    throw error
  } finally {
    held.release()
  }
  await dropMemory(files.run)
  await sweepLayers(host, new Set([history.upper]))
}

type NewUpper = {
  readonly name: EnvironmentName
  readonly files: Pick<EnvironmentFiles, 'run' | 'history'>
  readonly bytes: number
  /** How long the files outlive the process that made them. */
  readonly keptForMs: number
}

/**
 * Lays an upper layer in memory over the one that a new environment began with.
 *
 * @returns undefined where that can't be: then it is as it was, on the disk.
 */
export async function moveUpperIntoMemory(
  host: Host,
  {name, files, bytes, keptForMs}: NewUpper,
): Promise<LayerId | undefined> {
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
  return fresh
}

/** Of the memory that is free: what else runs must not feel it. */
const SHARE = 1 / 4
/** Less would be full after a package or two. */
const LEAST_BYTES = 512 * 1024 ** 2

const TIMEOUT_MS = 10_000

/**
 * How much memory the files of a new throwaway environment may take.
 *
 * @param setting - The most, as the user said it; undefined for a share of what is free.
 * @param freeBytes - What the machine, or the control group this runs in, has free.
 * @returns undefined where they are better kept on the disk.
 */
export async function memoryFor(
  host: Host,
  identity: Identity,
  {setting, freeBytes}: {setting: string | undefined; freeBytes: number},
): Promise<number | undefined> {
  const bytes = memoryShare(setting, freeBytes)
  return bytes !== undefined && (await canHoldLayers(host, identity)) ? bytes : undefined
}

/** @returns undefined for what is too little to be of use. */
export function memoryShare(setting: string | undefined, freeBytes: number): number | undefined {
  if (setting === undefined) {
    const share = Math.floor(freeBytes * SHARE)
    return share < LEAST_BYTES ? undefined : share
  }
  const bytes = Math.min(bytesOf(setting), freeBytes)
  return bytes < MOUNTABLE_BYTES ? undefined : bytes
}

/** overlayfs and the first files of an environment find room in it. */
const MOUNTABLE_BYTES = 1_000_000

/** What a trial came to is kept until the kernel, bwrap or the identity is another. */
async function canHoldLayers(host: Host, identity: Identity): Promise<boolean> {
  const bwrap = host.which('bwrap')
  if (bwrap === undefined) return false
  const memory = openMemory(join(host.paths.cache, `memory-${identity}.json`), {
    schema: v.boolean(),
  })
  return probeOnce(memory, `${release()} ${fileFacts(bwrap)}`, () => tryOut(host, identity))
}

/** With all that it takes later: a file system in memory, attributes on it, and a second program that finds it. */
async function tryOut(host: Host, identity: Identity): Promise<boolean> {
  const folder = await mkdtemp(join(host.paths.layers, `.trial.${identity}.`))
  const [lower, upper, merged] = ['lower', 'upper', 'merged'].map((name) => join(folder, name))
  if (lower === undefined || upper === undefined || merged === undefined) return false
  try {
    for (const each of [lower, upper, merged, join(lower, 'inner')]) await mkdir(each)
    for (const file of ['kept', 'gone', 'inner/file']) await writeFile(join(lower, file), 'x')
    const holder = await holdMemory({
      ...(await memoryTools(host, identity)),
      at: upper,
      mode: 0o755,
      bytes: MOUNTABLE_BYTES,
      keptForMs: 0,
    })
    if (holder === undefined) return false
    const {tree, work} = filesIn(upper)
    const argv = overlayTrial({
      bwrap: toolPath(host, 'bwrap'),
      // The namespace is there already, whatever the identity.
      identity: 'mapped',
      prefix: enterMemory(holder, toolPath(host, 'nsenter')),
      folders: {lower, upper: tree, work, merged},
    })
    const {status} = await capture(argv, {timeout: TIMEOUT_MS})
    await endMemory(holder)
    return status === 0
  } catch (error) {
    // A tool that is missing, or can't be started.
    if (!isFailure(error)) throw error
    return false
  } finally {
    await removeLayerFolder(host, {identity, folder}).catch(() => rm(folder, {recursive: true, force: true}))
  }
}

/** What {@link holdMemory} needs of the host. */
async function memoryTools(host: Host, identity: Identity) {
  const {environment} = await treeProcess(host, identity)
  return {
    prefix: await namespacePrefix(identity, host),
    unshare: toolPath(host, 'unshare'),
    mount: toolPath(host, 'mount'),
    environment,
  }
}
