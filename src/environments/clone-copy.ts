import {mkdir} from 'node:fs/promises'
import type {Lock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import {NO_ARCHIVES} from '../rootfs/apt/archives.js'
import {copyTree} from '../rootfs/copy.js'
import {CLONE_FIXES, IDENTITY_FIXES} from '../rootfs/fixes/list.js'
import {applyFixes, measureTrees} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {newHistory} from '../storage/history.js'
import {writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import type {LayerId} from '../storage/layer-id.js'
import {makeUpper} from '../storage/layer-store.js'
import {convertOwners} from './convert.js'
import {type MergedTree, mergedTree} from './merged-tree.js'
import type {EnvironmentName} from './name.js'
import type {EnvironmentRecord} from './record.js'
import {type Environment, filesIn} from './store.js'
import {rootProcess, toolPath, treeProcess} from './toolbox.js'
import {newTreeFacts} from './tree-facts.js'

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
