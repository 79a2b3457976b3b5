import {ignoreFailure} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {isLost} from './memory-upper.js'
import {stopFiles} from './processes.js'
import {removeEnvironment} from './remove.js'
import {mendRunFolder} from './run-folder.js'
import {environmentFiles} from './store.js'
import {KEPT_FOR_MS, listTries, lockTry, noteEnd, readMark, type Try} from './tries.js'

/**
 * Takes away throwaway environments that ended an hour ago or whose memory is gone, and stops what runs in those whose command was killed.
 *
 * Tidying up is nobody's errand: where it can't be done, the command that came by goes on.
 */
export async function sweepTries(host: Host): Promise<void> {
  for (const one of await listTries(host.paths)) await sweep(host, one).catch(ignoreFailure)
}

async function sweep(host: Host, {name}: Try): Promise<void> {
  const lock = await lockTry(host.paths, name)
  if (lock === undefined) return
  try {
    // It may have been kept, or another may have its name by now.
    const mark = await readMark(host.paths, name)
    if (mark === undefined) return
    const {paths, now} = host
    const files = environmentFiles(paths, name)
    mendRunFolder(files)
    if (!mark.hasEnded) {
      await stopFiles(host, files, {graceMs: 0})
      await noteEnd(files.folder, now())
      if (await isLost(files)) await removeEnvironment(host, name, {force: false})
      return
    }
    // A time to come is a clock that was set back.
    const isOver = Math.abs(now().getTime() - mark.markedAt.getTime()) >= KEPT_FOR_MS
    if (isOver || (await isLost(files))) await removeEnvironment(host, name, {force: false})
  } finally {
    lock.release()
  }
}

/** Takes away one that has ended. @returns Whether it is gone; false for a live one, or one that is in use. */
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
