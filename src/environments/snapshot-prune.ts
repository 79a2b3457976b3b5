import {isErrno} from '../host/errno.js'
import {takeLock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import {isRunning} from '../sandbox/anchor.js'
import {HistoryUnreadableError} from '../storage/errors.js'
import {type History, layersOf, withoutSnapshots} from '../storage/history.js'
import {readHistory, writeHistory} from '../storage/history-file.js'
import type {LayerId} from '../storage/layer-id.js'
import {EnvironmentNotFoundError, RecordUnreadableError} from './errors.js'
import {sweepLayers} from './layer-sweep.js'
import {measureParts} from './sizes.js'
import {type Environment, findEnvironment, listNames} from './store.js'

type Old = {
  readonly environment: Environment
  readonly labels: ReadonlySet<string>
  /** Of layers that nothing else names. */
  readonly sizeBytes: number
}

/** Snapshots nobody asked for that are older, of environments at rest. */
export async function findOldSnapshots(host: Host, olderThan: Date): Promise<Old[]> {
  const found: Old[] = []
  for (const name of await listNames(host.paths)) {
    const environment = await findEnvironment(host.paths, name).catch(unlessDamaged)
    const old =
      environment === undefined ? undefined : await findIn(host, environment, olderThan).catch(unlessDamaged)
    if (old !== undefined) found.push(old)
  }
  return found
}

async function findIn(host: Host, environment: Environment, olderThan: Date): Promise<Old | undefined> {
  const history = await readHistory(environment.files.history).catch(unlessDamaged)
  if (history === undefined || (await isRunning(environment.files.run))) return undefined
  const labels = oldLabels(history, olderThan)
  if (labels.size === 0) return undefined
  const given = givenUp(history, labels)
  const [parts = []] = await measureParts(host, [environment])
  const sizeBytes = parts
    .filter(({layer, isShared}) => layer !== undefined && !isShared && given.has(layer))
    .reduce((sum, part) => sum + part.sizeBytes, 0)
  return {environment, labels, sizeBytes}
}

/** @returns Whether they are gone; false for an environment that is in use. */
export async function removeOldSnapshots(
  host: Host,
  {files}: Environment,
  olderThan: Date,
): Promise<boolean> {
  const lock = await takeLock(files.lock, {mode: 'exclusive', waitMs: 0})
  if (lock === undefined) return false
  try {
    const history = await readHistory(files.history).catch(unlessDamaged)
    if (history === undefined || (await isRunning(files.run))) return false
    const labels = oldLabels(history, olderThan)
    await writeHistory(files.history, withoutSnapshots(history, labels))
    await sweepLayers(host, givenUp(history, labels))
    return true
  } finally {
    lock.release()
  }
}

function oldLabels({snapshots}: History, olderThan: Date): ReadonlySet<string> {
  const old = snapshots.filter(({kind, createdAt}) => kind === 'automatic' && createdAt < olderThan)
  return new Set(old.map(({label}) => label))
}

/** Layers that the environment is made of no more without these snapshots. */
function givenUp(history: History, labels: ReadonlySet<string>): ReadonlySet<LayerId> {
  const kept = layersOf(withoutSnapshots(history, labels))
  return new Set([...layersOf(history)].filter((layer) => !kept.has(layer)))
}

function unlessDamaged(error: unknown): undefined {
  const isDamaged = error instanceof RecordUnreadableError || error instanceof HistoryUnreadableError
  if (isDamaged || error instanceof EnvironmentNotFoundError) return
  // What of it can't be looked at holds nothing else up.
  if (!isErrno(error)) throw error
}
