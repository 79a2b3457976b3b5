import {join} from 'node:path'
import {describeHolders} from '../host/errors.js'
import {type Lock, lockHolders, takeLock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import {environmentBusyError} from './errors.js'
import type {Environment} from './store.js'

/** As long as a copy of what an environment has written may take. */
const WAIT_MS = 60_000

/**
 * For those who change the history of an environment while others hold its lock too: a start, and what is done to one
 * that runs. Who has the environment's lock alone needs no other.
 *
 * @throws {@link environmentBusyError}
 */
export async function lockHistory({name, files}: Pick<Environment, 'name' | 'files'>): Promise<Lock> {
  await makeFolders(files.run, {mode: 0o700})
  const path = join(files.run, 'history.lock')
  const lock = await takeLock(path, {mode: 'exclusive', waitMs: WAIT_MS})
  if (lock === undefined)
    throw environmentBusyError({name, holders: describeHolders(await lockHolders(path))})
  return lock
}
