import {settleMemory} from '../features/settle-memory.js'
import type {Host} from '../host/host.js'
import {isInUse} from '../sandbox/in-use.js'
import type {History} from '../storage/history.js'
import {readHistory} from '../storage/history-file.js'
import {isEmptyLayer} from '../storage/layer-store.js'
import {stopFirstError} from './errors.js'
import {lockHistory} from './history-lock.js'
import {withLockedEnvironment} from './locks.js'
import {stopFiles} from './processes.js'
import {noHistoryError} from './snapshot-errors.js'
import {type Environment, findEnvironment} from './store.js'

/** An environment with its history, and nobody else who could change either. */
export type AtRest = {
  readonly environment: Environment
  readonly history: History
  /** Whether nothing was written since the last point in time. */
  readonly isUpperEmpty: boolean
}

type Options = {
  /** Stop it first when it runs. */
  readonly force: boolean
  /** The command that takes --force, for the message. */
  readonly command: string
}

/**
 * Does something to the history of an environment that does not run, under its lock.
 *
 * @throws {EnvironmentNotFoundError} @throws {EnvironmentRunningError} @throws {@link environmentBusyError}
 * @throws {@link noHistoryError} @throws {HistoryUnreadableError}
 */
export async function atRest<T>(
  host: Host,
  text: string,
  {force, command}: Options,
  work: (found: AtRest) => Promise<T>,
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
    return work(await open(host, environment))
  })
}

/**
 * Does something to the history of an environment that may run, while nobody else changes it.
 *
 * @throws As {@link findWithHistory}. @throws {EnvironmentBusyError}
 */
export async function withSharedHistory<T>(
  host: Pick<Host, 'paths'>,
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

/** @throws {EnvironmentNotFoundError} @throws {@link noHistoryError} */
export async function findWithHistory(host: Pick<Host, 'paths'>, text: string): Promise<Environment> {
  const environment = await findEnvironment(host.paths, text)
  const {name, record} = environment
  if (record.storage === 'directory') throw noHistoryError({name, image: record.image.name ?? 'IMAGE'})
  return environment
}

async function open(host: Pick<Host, 'paths'>, environment: Environment): Promise<AtRest> {
  const history = await readHistory(environment.files.history)
  const isUpperEmpty = await isEmptyLayer(host.paths.layers, history.upper)
  return {environment, history, isUpperEmpty}
}
