import {existsSync} from 'node:fs'
import {copyFile, mkdir} from 'node:fs/promises'
import {ignoring} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {NO_ARCHIVES} from '../rootfs/apt/archives.js'
import {CLONE_FIXES} from '../rootfs/fixes/list.js'
import {applyFixes} from '../rootfs/tree-process.js'
import {type Anchor, anchorFiles} from '../sandbox/anchor-state.js'
import {type History, type Layers, type Step, withSnapshot} from '../storage/history.js'
import {readHistory, writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {identityOf, type LayerId, newLayerId} from '../storage/layer-id.js'
import {isEmptyLayer, makeUpper} from '../storage/layer-store.js'
import {timeLabel} from '../storage/snapshot-label.js'
import {thinned} from '../storage/thinning.js'
import type {Cloned, CloneTarget} from './clone-copy.js'
import {checkSpace, copyFrozen} from './frozen-copy.js'
import {mergedProcess} from './merged-tree.js'
import {withinLimit} from './squash.js'
import {type Environment, filesIn} from './store.js'
import {newTreeFacts} from './tree-facts.js'

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
  const next = await withinLimit(host, source, {history: settled, isSynced})
  await writeHistory(source.files.history, next)
  return next.layers
}

function settledHistory({name, files}: Environment, history: History, step: Step): History {
  const wasStarted = existsSync(anchorFiles(files.run).state)
  if (!wasStarted) return {...history, layers: [...history.layers, history.upper], upper: step.fresh}
  const label = timeLabel(history, step.now, 'auto-')
  return thinned(withSnapshot(history, {label, kind: 'automatic', name}, step), step.now)
}

function upperOf({upper, name}: CloneTarget): LayerId {
  if (upper === undefined) throw new Error(`${name} is not to be made of layers`)
  return upper
}
