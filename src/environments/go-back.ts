import type {Host} from '../host/host.js'
import {NAME_FIXES} from '../rootfs/fixes/list.js'
import {applyFixes} from '../rootfs/tree-process.js'
import {
  type History,
  presentLayers,
  type Snapshot,
  sameLayers,
  topLayer,
  wentBackTo,
} from '../storage/history.js'
import {layerFiles} from '../storage/layer-files.js'
import {identityOf, newLayerId} from '../storage/layer-id.js'
import {isEmptyLayer, makeUpper} from '../storage/layer-store.js'
import {timeLabel} from '../storage/snapshot-label.js'
import type {AtRest} from './at-rest.js'
import {removeLayerFolder} from './layer-folders.js'
import {sweepLayers} from './layer-sweep.js'
import {mergedProcess} from './merged-tree.js'
import {replaceHistory} from './replace-history.js'
import type {WentBackResult} from './results.js'
import {withinLimit} from './squash.js'
import type {Environment} from './store.js'
import {nameFacts} from './tree-facts.js'

/** Where an environment went back to. */
export type WentBack = WentBackResult

/**
 * Makes an environment at rest what it was at a snapshot; what it is now stays as one too.
 *
 * @param target - One of its snapshots, or one that is to be.
 * @param isSynced - Whether what is made anew is on the disk afterwards.
 */
export async function goBack(
  host: Host,
  {environment, history, isUpperEmpty}: AtRest,
  {target, isSynced}: {target: Snapshot; isSynced: boolean},
): Promise<WentBack> {
  const {name} = environment
  const now = host.now()
  const fresh = newLayerId(identityOf(history.upper))
  try {
    const named = target.name === name ? target : await withName(host, environment, target)
    await makeUpper(host.paths.layers, fresh, {below: topLayer(named.layers)})
    const naming = {label: timeLabel(history, now, 'kept-'), name}
    const step = wentBackTo(history, named, {naming, isUpperEmpty, now, fresh})
    const to = await withinLimit(host, environment, {history: step, isSynced})
    await replaceHistory(host, environment, {from: history, to})
    return {name, label: target.label, createdAt: target.createdAt, ...keptIn(step, history, {isUpperEmpty})}
  } catch (error) {
    // The target may have been made for this.
    await sweepLayers(host, new Set([...target.layers, fresh]))
    throw error
  }
}

function keptIn(
  {snapshots}: History,
  before: History,
  state: {isUpperEmpty: boolean},
): Pick<WentBack, 'kept' | 'isKeptNew'> {
  const present = presentLayers(before, state)
  // None where the target was the present state but for the environment's name.
  const kept = snapshots.find(({layers}) => sameLayers(layers, present))
  return {
    kept: kept?.label ?? before.after ?? '',
    isKeptNew: kept?.kind === 'replaced' && !isIn(before, kept),
  }
}

function isIn({snapshots}: History, {label}: Snapshot): boolean {
  return snapshots.some((each) => each.label === label)
}

/** The snapshot with one more layer, in which the environment's name of today stands where the old one did. */
async function withName(host: Host, environment: Environment, target: Snapshot): Promise<Snapshot> {
  const {name, record} = environment
  const {layers} = host.paths
  const {identity} = record
  const id = newLayerId(identity)
  const {folder} = layerFiles(layers, id)
  await makeUpper(layers, id, {below: topLayer(target.layers)})
  let isNeeded = false
  try {
    const tree = {kind: 'overlay', history: {layers: target.layers, upper: id, snapshots: []}} as const
    const {process, root} = await mergedProcess(host, environment, tree)
    await applyFixes(process, {root, facts: nameFacts(name, identity), only: NAME_FIXES})
    isNeeded = !(await isEmptyLayer(layers, id))
  } finally {
    if (!isNeeded) await removeLayerFolder(host, {identity, folder})
  }
  return {...target, name, layers: isNeeded ? [...target.layers, id] : target.layers}
}
