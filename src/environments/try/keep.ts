import {rm} from 'node:fs/promises'
import {settleMemory} from '../../features/memory-files.js'
import {ignoreFailure} from '../../host/errno.js'
import {describeHolders} from '../../host/errors.js'
import type {Host} from '../../host/host.js'
import {
  type Environment,
  environmentFiles,
  findEnvironment,
  parseEnvironmentName,
  repairRunFolder,
} from '../../store/environments.js'
import {environmentBusyError, noTryError, notATryError, tryRunningError} from '../../store/errors.js'
import {lockEnvironment} from '../../store/locks.js'
import {isLost} from '../../store/mounted-tree.js'
import {removeEnvironment} from '../remove.js'
import {renameEnvironment} from '../rename.js'
import {stopFiles} from '../session/processes.js'
import {KEPT_FOR_MS, listTries, lockTry, noteEnd, readMark, type Try} from './tries.js'

/** Longer than a sweep, or a concurrent `envs keep`, usually holds the lock of an ended environment. */
const WAIT_MS = 3000

/**
 * Turns a throwaway environment that has ended into a permanent one.
 *
 * @param to - The new name.
 * @param from - The present name; undefined for the environment that ended last.
 * @throws {@link notATryError} @throws {@link tryRunningError} @throws {@link environmentExistsError} @throws {@link environmentBusyError}
 */
export async function keepTry(
  host: Host,
  {to, from}: {to: string; from: string | undefined},
): Promise<Environment & {readonly from: string}> {
  const newName = parseEnvironmentName(to)
  await sweepTries(host)
  const {name, hasEnded} = await chooseTry(host, from)
  // A sweep, or another `envs keep`, may hold the lock of an ended environment for a moment.
  const lock = await lockTry(host.paths, name, {waitMs: hasEnded ? WAIT_MS : 0})
  if (lock === undefined)
    throw hasEnded ? environmentBusyError({name, holders: describeHolders([])}) : tryRunningError({name})
  try {
    // Another command may have kept or removed the environment before the lock was acquired.
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

/**
 * Removes throwaway environments that ended an hour ago or whose memory is gone, and stops the processes in those whose
 * command was killed.
 *
 * A failure is ignored: the sweep is not what the user asked for.
 */
export async function sweepTries(host: Host): Promise<void> {
  for (const one of await listTries(host.paths)) await sweep(host, one).catch(ignoreFailure)
}

async function sweep(host: Host, {name}: Try): Promise<void> {
  const lock = await lockTry(host.paths, name)
  if (lock === undefined) return
  try {
    // The environment may have been kept, and another one may have its name by now.
    const mark = await readMark(host.paths, name)
    if (mark === undefined) return
    const {paths, now} = host
    const files = environmentFiles(paths, name)
    repairRunFolder(files)
    if (!mark.hasEnded) {
      await stopFiles(host, files, {graceMs: 0})
      await noteEnd(files.folder, now())
      if (await isLost(files)) await removeEnvironment(host, name, {force: false})
      return
    }
    // A mark in the future means that the clock was set back.
    const hasExpired = Math.abs(now().getTime() - mark.markedAt.getTime()) >= KEPT_FOR_MS
    if (hasExpired || (await isLost(files))) await removeEnvironment(host, name, {force: false})
  } finally {
    lock.release()
  }
}

/** Removes an ended throwaway environment. @returns Whether it was removed; false if it is live or in use. */
export async function removeTry(host: Host, {name}: Pick<Try, 'name'>): Promise<boolean> {
  const lock = await lockTry(host.paths, name)
  if (lock === undefined) return false
  try {
    if ((await readMark(host.paths, name)) === undefined) return false
    await removeEnvironment(host, name, {force: false})
    return true
  } finally {
    lock.release()
  }
}
