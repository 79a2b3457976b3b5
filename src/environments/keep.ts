import {rm} from 'node:fs/promises'
import {settleMemory} from '../features/settle-memory.js'
import {describeHolders} from '../host/errors.js'
import type {Host} from '../host/host.js'
import {environmentBusyError, noTryError, notATryError, tryRunningError} from './errors.js'
import {lockEnvironment} from './locks.js'
import {parseEnvironmentName} from './name.js'
import {renameEnvironment} from './rename.js'
import {type Environment, findEnvironment} from './store.js'
import {listTries, lockTry, readMark, type Try} from './tries.js'
import {sweepTries} from './try-sweep.js'

/** Longer than one is looked at, and than most are kept. */
const WAIT_MS = 3000

/**
 * Makes a throwaway environment that has ended one that stays.
 *
 * @param to - Its name from now on.
 * @param from - Its name until now; undefined for the one that ended last.
 * @throws {@link notATryError} @throws {@link tryRunningError} @throws {@link environmentExistsError} @throws {@link environmentBusyError}
 */
export async function keepTry(
  host: Host,
  {to, from}: {to: string; from: string | undefined},
): Promise<Environment & {readonly from: string}> {
  const newName = parseEnvironmentName(to)
  await sweepTries(host)
  const {name, hasEnded} = await chooseTry(host, from)
  // Commands that tidy up look at one that has ended, and another may keep it.
  const lock = await lockTry(host.paths, name, {waitMs: hasEnded ? WAIT_MS : 0})
  if (lock === undefined)
    throw hasEnded ? environmentBusyError({name, holders: describeHolders([])}) : tryRunningError({name})
  try {
    // Another may have kept it, or taken it away, in between.
    if ((await readMark(host.paths, name)) === undefined) throw notATryError({name})
    if (name !== newName) return {...(await renameEnvironment(host, name, newName)), from: name}
    const kept = await findEnvironment(host.paths, name)
    const held = await lockEnvironment(host.paths, name, 'exclusive')
    try {
      await settleMemory(host, kept)
    } finally {
      held.release()
    }
    await rm(kept.files.tryMark)
    return {...kept, from: name}
  } finally {
    lock.release()
  }
}

async function chooseTry(host: Host, text: string | undefined): Promise<Pick<Try, 'name' | 'hasEnded'>> {
  if (text !== undefined) {
    const {name} = await findEnvironment(host.paths, text)
    const mark = await readMark(host.paths, name)
    if (mark === undefined) throw notATryError({name})
    return {name, hasEnded: mark.hasEnded}
  }
  const tries = await listTries(host.paths)
  const last = tries.find(({hasEnded}) => hasEnded)
  if (last !== undefined) return last
  const [live] = tries
  throw live === undefined ? noTryError() : tryRunningError({name: live.name})
}
