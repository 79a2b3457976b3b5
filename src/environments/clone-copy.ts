import {existsSync} from 'node:fs'
import {copyFile, mkdir} from 'node:fs/promises'
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
import {identityOf, isEmptyLayer, type LayerId, layerFiles, makeUpper, newLayerId} from '../store/layers.js'
import {type MergedTree, mergedProcess, mergedTree} from '../store/mounted-tree.js'
import type {EnvironmentRecord} from '../store/record.js'
import {squashToLimit} from '../store/squash.js'
import {rootProcess, toolPath, treeProcess} from '../store/tools.js'
import {newTreeFacts} from './create/own-files.js'
import {checkSpace, copyFrozen} from './snapshots/create.js'

type Options = {readonly isSynced: boolean; readonly signal: AbortSignal}

/**
 * Puts an empty layer with a name of its own over all that another environment is made of: no file is copied.
 *
 * @param source - At rest, with its lock and that of the layers held.
 */
export async function shareLayers(
  host: Host,
  source: Environment,
  target: CloneTarget,
  {isSynced}: Pick<Options, 'isSynced'>,
): Promise<Cloned> {
  const upper = upperOf(target)
  const history = await readHistory(source.files.history)
  const layers = await settleUpper(host, source, {history, isSynced})
  await makeUpper(host.paths.layers, upper, {below: layers.at(-1) ?? layers[0]})
  await makeItsOwn(host, source, {target, history: {layers, upper, snapshots: []}})
  return {changes: {}, sizeBytes: 0, frozenMs: 0}
}

/**
 * The same of an environment that runs: what it writes to is copied while all of it stands still.
 *
 * @param source - With its lock shared, that of its history and that of the layers held.
 * @throws {LayerSpaceError} @throws {FreezeFailedError} As `copyTree`.
 */
export async function shareRunning(
  host: Host,
  source: Environment,
  {target, anchor}: {readonly target: CloneTarget; readonly anchor: Anchor},
  {signal}: Pick<Options, 'signal'>,
): Promise<Cloned> {
  const upper = upperOf(target)
  const history = await readHistory(source.files.history)
  const sizeBytes = await checkSpace(host, source, history)
  await mkdir(layerFiles(host.paths.layers, upper).folder, {mode: 0o700})
  const copied = {anchor, from: history.upper, copy: upper, request: {signal}}
  const frozenMs = await copyFrozen(host, source, copied)
  await makeUpper(host.paths.layers, upper, {below: history.layers[0]})
  await makeItsOwn(host, source, {target, history: {layers: history.layers, upper, snapshots: []}})
  return {changes: {}, sizeBytes, frozenMs}
}

async function makeItsOwn(
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
  // On the disk with all else that is new, before it becomes an environment.
  await writeHistory(files.history, history, {isSynced: false})
}

/**
 * Lays an empty layer over the one that an environment writes to, which changes no more then; for `envs undo` a point in
 * time, as its next start would have made it.
 *
 * One write, before which nobody else stands on that layer: whenever it is broken off, nothing is lost.
 */
async function settleUpper(
  host: Host,
  source: Environment,
  {history, isSynced}: {history: History; isSynced: boolean},
): Promise<Layers> {
  const {layers} = host.paths
  if (await isEmptyLayer(layers, history.upper)) return history.layers
  const upper = newLayerId(identityOf(history.upper))
  await makeUpper(layers, upper, {below: history.upper})
  const settled = settledHistory(source, history, {now: host.now(), fresh: upper})
  const next = await squashToLimit(host, source, {history: settled, isSynced})
  await writeHistory(source.files.history, next)
  return next.layers
}

function settledHistory({name, files}: Environment, history: History, step: Step): History {
  const wasStarted = existsSync(anchorFiles(files.run).state)
  if (!wasStarted) return {...history, layers: [...history.layers, history.upper], upper: step.fresh}
  const label = timeLabel(history, step.now, 'auto-')
  return applyRetention(withSnapshot(history, {label, kind: 'automatic', name}, step), step.now)
}

function upperOf({upper, name}: CloneTarget): LayerId {
  if (upper === undefined) throw new Error(`${name} is not to be made of layers`)
  return upper
}

/** An environment that is to come, and where it is made until then. */
export type CloneTarget = {
  readonly name: EnvironmentName
  readonly identity: Identity
  readonly folder: string
  /** The layer that gets its whole tree; undefined where it stands on another's, or has no layers. */
  readonly base: LayerId | undefined
  /** The layer it will write to; undefined where it has no layers. */
  readonly upper: LayerId | undefined
}

export type Cloned = {
  /** What of the source's record is different for the copy. */
  readonly changes: Partial<EnvironmentRecord>
  /** Allocated for what it writes to; the few files of a new layer are not counted. */
  readonly sizeBytes: number
  /** How long everything in the original stood still; 0 where nothing ran. */
  readonly frozenMs: number
}

/**
 * Copies the whole tree of an environment, with the owners that the identity of the copy can give.
 *
 * @param source - At rest.
 * @param options.locks - Its own, among others.
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
  if (base !== undefined) await mkdir(layerFiles(host.paths.layers, base).folder, {mode: 0o700})
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
  await stack(host, target, base)
  return {changes: {...converted, storage: 'overlay'}, sizeBytes: 0, frozenMs: 0}
}

/** Root of a user namespace, for modes must forbid nothing; with owners of its own a tree can only be read where they are mapped. */
async function copyProcess(
  host: Host,
  {record}: Environment,
  {target: {identity}, original}: {target: CloneTarget; original: MergedTree},
) {
  if (record.storage === 'overlay') return original.process
  return rootProcess(host, record.identity === 'mapped' ? record.identity : identity)
}

async function stack(host: Host, {folder, upper}: CloneTarget, base: LayerId): Promise<void> {
  if (upper === undefined) throw new Error('a layer without one to write to')
  await makeUpper(host.paths.layers, upper, {below: base})
  await writeHistory(filesIn(folder).history, newHistory(base, upper), {isSynced: false})
}

type Copy = {
  readonly source: Environment
  /** The source's tree. */
  readonly original: MergedTree
  readonly identity: Identity
  /** The copy's tree, and where its ledger is to be made. */
  readonly root: string
  readonly ledger: string
}

/**
 * Gives the copy of a tree the owners of its identity, and a ledger of what it can't have.
 *
 * Between `emulated` and `mapped`, owners go from the ledger into the tree, or from the tree into the ledger.
 *
 * @returns What of the source's record is different for the copy.
 */
async function convertOwners(
  host: Host,
  {source, original, identity, root, ledger}: Copy,
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
  // Foreign owners can be given only where they are mapped.
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
