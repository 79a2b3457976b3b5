import {existsSync} from 'node:fs'
import {copyFile} from 'node:fs/promises'
import {ignoring} from '../host/errno.js'
import type {Host} from '../host/host.js'
import type {Lock} from '../host/locks.js'
import {copyTree} from '../rootfs/copy.js'
import {NO_ARCHIVES} from '../rootfs/fixes/apt-sources.js'
import {CLONE_FIXES, IDENTITY_FIXES} from '../rootfs/fixes/index.js'
import {applyFixes, measureTrees, recordOwners, restoreOwners} from '../rootfs/worker/api.js'
import {type Anchor, anchorFiles} from '../sandbox/anchor-state.js'
import type {Identity} from '../sandbox/identity.js'
import {type Environment, type EnvironmentName, filesIn} from '../store/environments.js'
import {
  applyRetention,
  type History,
  type Layers,
  newHistory,
  readHistory,
  type Step,
  timeLabel,
  withSnapshot,
  writeHistory,
} from '../store/history.js'
import {requireUpper} from '../store/integrity/lost-layers.js'
import {
  beginLayer,
  identityOf,
  isEmptyLayer,
  type LayerId,
  layerFiles,
  makeUpper,
  newLayerId,
  shareLayerFolders,
} from '../store/layers.js'
import {type MergedTree, mergedProcess, mergedTree} from '../store/mounted-tree.js'
import type {EnvironmentRecord} from '../store/record.js'
import {squashToLimit} from '../store/squash.js'
import {rootProcess, toolPath, treeProcess} from '../store/tools.js'
import {newTreeFacts} from './create/own-files.js'
import {checkSpace, copyFrozen} from './snapshots/create.js'

type CloneCopyOptions = {readonly isSynced: boolean; readonly signal: AbortSignal}

/**
 * Makes a clone from an empty upper layer above the layers of the source. Copies no file.
 *
 * @param source - A stopped environment; the caller holds its lock and the lock of the layers.
 */
export async function shareLayers(
  host: Host,
  source: Environment,
  target: CloneTarget,
  {isSynced}: Pick<CloneCopyOptions, 'isSynced'>,
): Promise<Cloned> {
  const upper = upperOf(target)
  const history = await readHistory(source.files.history)
  const layers = await sealUpper(host, source, {history, isSynced})
  shareLayerFolders(host.paths.layers, layers)
  await makeUpper(host.paths.layers, upper, {below: layers.at(-1) ?? layers[0]})
  await personalizeClone(host, source, {target, history: {layers, upper, snapshots: []}})
  return {changes: {}, sizeBytes: 0, frozenMs: 0}
}

/**
 * Makes a clone of a running environment: copies its upper layer while its processes are frozen, and shares the lower layers.
 *
 * @param source - The caller holds its lock (shared), the lock of its history and the lock of the layers.
 * @throws {LayerSpaceError} @throws {FreezeFailedError} @throws As `copyTree`.
 */
export async function shareRunning(
  host: Host,
  source: Environment,
  {target, anchor}: {readonly target: CloneTarget; readonly anchor: Anchor},
  {signal}: Pick<CloneCopyOptions, 'signal'>,
): Promise<Cloned> {
  const upper = upperOf(target)
  const history = await readHistory(source.files.history)
  const sizeBytes = await checkSpace(host, source, history)
  beginLayer(host.paths.layers, upper)
  shareLayerFolders(host.paths.layers, history.layers)
  const copied = {anchor, from: history.upper, copy: upper, request: {signal}}
  const frozenMs = await copyFrozen(host, source, copied)
  await makeUpper(host.paths.layers, upper, {below: history.layers[0]})
  await personalizeClone(host, source, {target, history: {layers: history.layers, upper, snapshots: []}})
  return {changes: {}, sizeBytes, frozenMs}
}

/** Applies the fixes of a clone (name, machine ID, keys), and writes its ledger and history. */
async function personalizeClone(
  host: Host,
  source: Environment,
  {target, history}: {target: CloneTarget; history: History},
): Promise<void> {
  const files = filesIn(target.folder)
  const {name, identity} = target
  const facts = newTreeFacts(host, {name, identity, archives: NO_ARCHIVES})
  const {process, root} = await mergedProcess(
    host,
    {name, files, record: {identity}},
    {kind: 'overlay', history},
  )
  await applyFixes(process, {root, facts, only: CLONE_FIXES})
  await copyFile(source.files.ledger, files.ledger).catch(ignoring('ENOENT'))
  // `CloneRun.publish` syncs this file together with all others.
  await writeHistory(files.history, history, {isSynced: false})
}

/**
 * Seals the upper layer of the source with a new empty one, and makes the restore point that its next start would have made.
 *
 * One write of the history publishes the change, and no other environment uses the layer before: an interrupted call loses
 * nothing.
 */
async function sealUpper(
  host: Host,
  source: Environment,
  {history, isSynced}: {history: History; isSynced: boolean},
): Promise<Layers> {
  const {layers} = host.paths
  requireUpper({name: source.name, paths: host.paths}, history)
  if (await isEmptyLayer(layers, history.upper)) return history.layers
  const upper = newLayerId(identityOf(history.upper))
  await makeUpper(layers, upper, {below: history.upper})
  const sealed = sealedHistory(source, history, {now: host.now(), fresh: upper})
  const next = await squashToLimit(host, source, {history: sealed, isSynced})
  await writeHistory(source.files.history, next)
  return next.layers
}

function sealedHistory({name, files}: Environment, history: History, step: Step): History {
  const wasStarted = existsSync(anchorFiles(files.run).state)
  if (!wasStarted) return {...history, layers: [...history.layers, history.upper], upper: step.fresh}
  const label = timeLabel(history, step.now, 'auto-')
  return applyRetention(withSnapshot(history, {label, kind: 'automatic', name}, step), step.now)
}

function upperOf({upper, name}: CloneTarget): LayerId {
  if (upper === undefined) throw new Error(`the clone ${name} has no layers`)
  return upper
}

/** The environment to create, and the folder in which it is made before it is published. */
export type CloneTarget = {
  readonly name: EnvironmentName
  readonly identity: Identity
  readonly folder: string
  /** The layer for a copy of the whole tree; undefined for a clone that shares layers or has none. */
  readonly base: LayerId | undefined
  /** The upper layer; undefined for a clone without layers. */
  readonly upper: LayerId | undefined
}

export type Cloned = {
  /** Fields of the record in which the clone differs from the source. */
  readonly changes: Partial<EnvironmentRecord>
  /** Allocated size of the upper layer, in bytes; 0 for a new layer, whose few files are not counted. */
  readonly sizeBytes: number
  /** How long the processes of the source were frozen; 0 for a stopped source. */
  readonly frozenMs: number
}

/**
 * Copies the whole tree of an environment, with the owners that the identity of the clone supports.
 *
 * @param source - A stopped environment.
 * @param options.locks - Locks that the caller holds, the source's among them.
 * @throws As `copyTree` and `convertOwners`.
 */
export async function copyEnvironment(
  host: Host,
  source: Environment,
  target: CloneTarget,
  {signal, locks}: {readonly signal: AbortSignal; readonly locks: readonly Lock[]},
): Promise<Cloned> {
  const {identity, name, base} = target
  const {ledger, root: ownRoot} = filesIn(target.folder)
  const root = base === undefined ? ownRoot : layerFiles(host.paths.layers, base).tree
  if (base !== undefined) beginLayer(host.paths.layers, base)
  const original = await mergedTree(host, source, locks)
  const from = {
    cp: toolPath(host, 'cp'),
    from: original.root,
    to: root,
    keepOwners: source.record.identity === 'mapped' && identity === 'mapped',
  }
  await copyTree(await copyProcess(host, source, {target, original}), from, {signal})
  const converted = await convertOwners(host, {source, original, identity, root, ledger})
  const tree = await treeProcess(host, identity)
  const facts = newTreeFacts(host, {name, identity, archives: NO_ARCHIVES})
  const isConverted = identity !== source.record.identity
  const only = isConverted ? [...CLONE_FIXES, ...IDENTITY_FIXES] : CLONE_FIXES
  await applyFixes(tree, {root, facts, only})
  if (base === undefined) {
    const [sizeBytes = 0] = await measureTrees(tree, [root])
    return {changes: {...converted, storage: 'directory'}, sizeBytes, frozenMs: 0}
  }
  await writeLayers(host, target, base)
  return {changes: {...converted, storage: 'overlay'}, sizeBytes: 0, frozenMs: 0}
}

/**
 * Returns the process that reads the source: root of a user namespace, so that no mode forbids the read. A tree with mapped
 * owners can only be read where these are mapped.
 */
async function copyProcess(
  host: Host,
  {record}: Environment,
  {target: {identity}, original}: {target: CloneTarget; original: MergedTree},
) {
  if (record.storage === 'overlay') return original.process
  return rootProcess(host, record.identity === 'mapped' ? record.identity : identity)
}

async function writeLayers(host: Host, {folder, upper}: CloneTarget, base: LayerId): Promise<void> {
  if (upper === undefined) throw new Error('a clone with a base layer has no upper layer')
  await makeUpper(host.paths.layers, upper, {below: base})
  await writeHistory(filesIn(folder).history, newHistory(base, upper), {isSynced: false})
}

type TreeConversion = {
  readonly source: Environment
  /** Tree of the source. */
  readonly original: MergedTree
  readonly identity: Identity
  /** Tree of the clone, and the path of its new ledger. */
  readonly root: string
  readonly ledger: string
}

/**
 * Gives a copied tree the owners of its identity, and a ledger of the metadata that it can't have.
 *
 * From `emulated` to `mapped`, owners move from the ledger into the tree; from `mapped` to `emulated`, from the tree into the
 * ledger.
 *
 * @returns Fields of the record in which the clone differs from the source.
 */
async function convertOwners(
  host: Host,
  {source, original, identity, root, ledger}: TreeConversion,
): Promise<Pick<EnvironmentRecord, 'identity' | 'extraction'>> {
  const {record, files} = source
  const {extraction} = record
  if (identity === record.identity) {
    await copyFile(files.ledger, ledger).catch(ignoring('ENOENT'))
    return {identity, extraction}
  }
  if (identity === 'emulated') {
    await recordOwners(original.process, {root: original.root, from: files.ledger, to: ledger})
    return {identity, extraction: {...extraction, squashedOwners: 0}}
  }
  // chown to a foreign owner needs a user namespace in which that owner is mapped.
  const tree = await treeProcess(host, 'mapped')
  const {squashedOwners, losses} = await restoreOwners(tree, {root, from: files.ledger, to: ledger})
  return {
    identity,
    extraction: {
      ...extraction,
      squashedOwners: squashedOwners.count,
      fileCapabilities: losses.capabilities,
    },
  }
}
