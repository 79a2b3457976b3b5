import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {lockHistory} from '../environments/history-lock.js'
import type {Environment} from '../environments/store.js'
import {isFailure} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {packageRoot} from '../host/paths.js'
import {anchorFiles} from '../sandbox/anchor-state.js'
import {restoreRequestCompanion} from '../sandbox/restore-requests.js'
import {type History, type Snapshot, withNamed, withSnapshot} from '../storage/history.js'
import {readHistory, writeHistory} from '../storage/history-file.js'
import {layerFiles} from '../storage/layer-files.js'
import {identityOf, newLayerId} from '../storage/layer-id.js'
import {isEmptyLayer} from '../storage/layer-store.js'
import {freeLabel, timeLabel} from '../storage/snapshot-label.js'
import {mostLayers} from '../storage/stack-limit.js'
import {thinned} from '../storage/thinning.js'
import type {SandboxFeature} from './feature.js'

/** Points in time to go back to: one before each start, and one whenever APT in the guest asks for it. */
export const restorePoints: SandboxFeature = {
  id: 'restore-points',
  engines: ['bwrap', 'unshare'],
  async beforeStart({host, environment, wish}) {
    if (environment.record.storage !== 'overlay') return
    await keepRestorePoint(host, environment, {isSynced: wish.durable !== 'never'})
  },
  apply(spec, {host, environment, tree, isThrowaway}) {
    if (tree.kind !== 'overlay' || isThrowaway) return spec
    const {name, files} = environment
    const requests = restoreRequestCompanion({
      folder: files.resolver,
      upper: layerFiles(host.paths.layers, tree.history.upper).tree,
      command: [process.execPath, join(packageRoot(), 'bin', 'envs.js'), 'restore-point', name],
      environment: host.environment,
    })
    return {...spec, companions: [...spec.companions, requests]}
  },
}

/**
 * Makes what was written since the last point in time one more, for `envs undo`. Does nothing where there is nothing to keep, or
 * where it can't be: a start is worth more than a way back.
 *
 * @param options.isSynced - Whether what is made anew is on the disk afterwards.
 */
async function keepRestorePoint(
  host: Host,
  environment: Environment,
  {isSynced}: {isSynced: boolean},
): Promise<void> {
  const history = await readHistory(environment.files.history)
  const isFirst = !existsSync(anchorFiles(environment.files.run).state)
  const isEmpty = await isEmptyLayer(host.paths.layers, history.upper)
  // What a new one began with is at hand for as long as it stands on its image alone.
  if (isFirst ? history.layers.length === 1 || history.after !== undefined : isEmpty) return
  try {
    const lock = await lockHistory(environment)
    try {
      await pushDown(host, environment, {isFirst, isEmpty, isSynced})
    } finally {
      lock.release()
    }
  } catch (error) {
    if (!isFailure(error)) throw error
  }
}

async function pushDown(
  host: Host,
  environment: Environment,
  {isFirst, isEmpty, isSynced}: {isFirst: boolean; isEmpty: boolean; isSynced: boolean},
): Promise<void> {
  const {name, files} = environment
  const history = await readHistory(files.history)
  const now = host.now()
  const naming = {...(isFirst ? beginning(history, {isEmpty}) : automatic(history, now)), name}
  const fresh = newLayerId(identityOf(history.upper))
  const pushed = isEmpty
    ? withNamed(history, naming, {now})
    : thinned(withSnapshot(history, naming, {now, fresh}), now)
  if (pushed.layers.length > mostLayers(host.paths.layers, pushed.upper))
    await squashAndWrite(host, environment, {history: pushed, isSynced})
  else await writeHistory(files.history, pushed)
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
): Promise<void> {
  const [{withinLimit}, {replaceHistory}] = await Promise.all([
    import('../environments/squash.js'),
    import('../environments/replace-history.js'),
  ])
  const next = await withinLimit(host, environment, {history, isSynced})
  await replaceHistory(host, environment, {from: history, to: next})
}
