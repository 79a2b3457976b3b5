import {setTimeout as sleep} from 'node:timers/promises'
import {isRunning} from './anchor.js'
import {readLiveAnchor} from './anchor-state.js'
import {listProcesses} from './processes.js'

/** One that nobody is in leaves within two seconds, see templates/guest/holder.sh; on a busy host later. */
const LEAVES_WITHIN_MS = 5000
const LEAVING_POLL_MS = 50

/**
 * Whether anything of an environment lives that does not end by itself.
 *
 * One that nobody is in any more is waited for, so that what is done after its last session does not find it running.
 */
export async function isInUse(runFolder: string): Promise<boolean> {
  const deadline = Date.now() + LEAVES_WITHIN_MS
  while (await isRunning(runFolder)) {
    const anchor = readLiveAnchor(runFolder)
    const isEmpty = anchor === undefined || listProcesses(anchor).length === 0
    if (!isEmpty || Date.now() >= deadline) return true
    await sleep(LEAVING_POLL_MS)
  }
  return false
}
