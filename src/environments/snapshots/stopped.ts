import {settleMemory} from '../../features/memory-files.js'
import type {Host} from '../../host/host.js'
import {isInUse} from '../../sandbox/processes.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {stopFirstError} from '../../store/errors.js'
import {type History, readHistory} from '../../store/history.js'
import {isLayerLost} from '../../store/integrity/lost-layers.js'
import {withReserve} from '../../store/integrity/reserve.js'
import {isEmptyLayer} from '../../store/layers.js'
import {lockHistory, withLockedEnvironment} from '../../store/locks.js'
import {stopFiles} from '../session/processes.js'
import {withoutHistory} from './without-history.js'

/** A stopped environment and its history, under its exclusive lock. */
export type StoppedEnvironment = {
  readonly environment: Environment
  readonly history: History
  /** Whether nothing was written since the last snapshot, or all that was written is lost. */
  readonly isUpperEmpty: boolean
  /** Whether the upper layer is missing: the present state can't be kept. */
  readonly isUpperLost: boolean
}

type StopOptions = {
  /** Whether a running environment is stopped first. */
  readonly force: boolean
  /** The command that takes --force, for the message. */
  readonly command: string
}

/**
 * Calls `work` with a stopped environment and its history, under its exclusive lock.
 *
 * @throws {EnvironmentNotFoundError} @throws {EnvironmentRunningError} @throws {@link environmentBusyError}
 * @throws {@link noHistoryError} @throws {HistoryUnreadableError}
 */
export async function withStoppedEnvironment<T>(
  host: Host,
  text: string,
  {force, command}: StopOptions,
  work: (stopped: StoppedEnvironment) => Promise<T>,
): Promise<T> {
  const find = async () => {
    const environment = await findWithHistory(host, text)
    const {name, files} = environment
    if (force) await stopFiles(host, files)
    if (await isInUse(files.run)) throw stopFirstError({name, command})
    return environment
  }
  return withLockedEnvironment(host.paths, 'exclusive', find, async (environment) => {
    await settleMemory(host, environment)
    return withReserve(host.paths, async () => work(await openHistory(host, environment)))
  })
}

/**
 * Calls `work` with an environment that may run, under its shared lock and the lock of its history.
 *
 * @throws As {@link findWithHistory}. @throws {@link environmentBusyError}
 */
export async function withSharedHistory<T>(
  host: Host,
  text: string,
  work: (environment: Environment) => Promise<T>,
): Promise<T> {
  const find = () => findWithHistory(host, text)
  return withLockedEnvironment(host.paths, 'shared', find, async (environment) => {
    const lock = await lockHistory(environment)
    try {
      return await work(environment)
    } finally {
      lock.release()
    }
  })
}

/** Finds an environment that has layers, and so a history. @throws {EnvironmentNotFoundError} @throws {@link noHistoryError} */
export async function findWithHistory(host: Host, text: string): Promise<Environment> {
  const environment = await findEnvironment(host.paths, text)
  if (environment.record.storage === 'directory') throw await withoutHistory(host, environment)
  return environment
}

async function openHistory(host: Pick<Host, 'paths'>, environment: Environment): Promise<StoppedEnvironment> {
  const history = await readHistory(environment.files.history)
  const {layers} = host.paths
  const isUpperLost = isLayerLost(layers, history.upper)
  return {environment, history, isUpperEmpty: await isEmptyLayer(layers, history.upper), isUpperLost}
}
