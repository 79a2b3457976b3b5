import {existsSync} from 'node:fs'
import {isFailure} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {anchorFiles} from '../sandbox/anchor-state.js'
import {type History, type Snapshot, withNamed, withSnapshot} from '../storage/history.js'
import {readHistory, writeHistory} from '../storage/history-file.js'
import {identityOf, newLayerId} from '../storage/layer-id.js'
import {isEmptyLayer} from '../storage/layer-store.js'
import {freeLabel, timeLabel} from '../storage/snapshot-label.js'
import {mostLayers} from '../storage/stack-limit.js'
import {thinned} from '../storage/thinning.js'
import {lockHistory} from './history-lock.js'
import type {Environment} from './store.js'

/**
 * The history to start an environment with: what was written since the last point in time becomes one, for `envs undo`.
 * To be called with nothing of the environment running, by the one who starts it.
 *
 * @param isSynced - Whether what is made anew is on the disk afterwards.
 * @returns The same one where there is nothing to keep, or where it can't be: a start is worth more than a way back.
 */
export async function withRestorePoint(
  host: Host,
  environment: Environment,
  {history, isSynced}: {history: History; isSynced: boolean},
): Promise<History> {
  const isFirst = !existsSync(anchorFiles(environment.files.run).state)
  const isEmpty = await isEmptyLayer(host.paths.layers, history.upper)
  // What a new one began with is at hand for as long as it stands on its image alone.
  if (isFirst ? history.layers.length === 1 || history.after !== undefined : isEmpty) return history
  try {
    const lock = await lockHistory(environment)
    try {
      return await pushDown(host, environment, {isFirst, isEmpty, isSynced})
    } finally {
      lock.release()
    }
  } catch (error) {
    if (!isFailure(error)) throw error
    // It may have failed after the new one was in place.
    return readHistory(environment.files.history)
  }
}

async function pushDown(
  host: Host,
  environment: Environment,
  {isFirst, isEmpty, isSynced}: {isFirst: boolean; isEmpty: boolean; isSynced: boolean},
): Promise<History> {
  const {name, files} = environment
  const history = await readHistory(files.history)
  const now = host.now()
  const naming = {...(isFirst ? beginning(history, {isEmpty}) : automatic(history, now)), name}
  const fresh = newLayerId(identityOf(history.upper))
  const pushed = isEmpty
    ? withNamed(history, naming, {now})
    : thinned(withSnapshot(history, naming, {now, fresh}), now)
  if (pushed.layers.length > mostLayers(host.paths.layers, pushed.upper))
    return squashAndWrite(host, environment, {history: pushed, isSynced})
  await writeHistory(files.history, pushed)
  return pushed
}

type Naming = Pick<Snapshot, 'label' | 'kind'>

function automatic(history: History, now: Date): Naming {
  return {label: timeLabel(history, now, 'auto-'), kind: 'automatic'}
}

/** Of one that stands on more than its image before its first start: a clone, or what was cloned before it was used. */
function beginning(history: History, {isEmpty}: {isEmpty: boolean}): Naming {
  const kind = isEmpty && history.layers.length === 2 ? 'initial' : 'cloned'
  return {label: freeLabel(history, kind), kind}
}

/** Loaded for the one start in many that needs it. */
async function squashAndWrite(
  host: Host,
  environment: Environment,
  {history, isSynced}: {history: History; isSynced: boolean},
): Promise<History> {
  const [{withinLimit}, {replaceHistory}] = await Promise.all([
    import('./squash.js'),
    import('./replace-history.js'),
  ])
  const next = await withinLimit(host, environment, {history, isSynced})
  await replaceHistory(host, environment, {from: history, to: next})
  return next
}
