import {rm} from 'node:fs/promises'
import {setTimeout as sleep} from 'node:timers/promises'
import {errnoOf} from '../errors.js'
import {isLockFree, type Lock, takeLock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import {type AnchorPlan, START_DEADLINE_MS, startAnchor} from './anchor-start.js'
import {type Anchor, anchorFiles, readLiveAnchor, recordAnchor} from './anchor-state.js'
import {AnchorUnreachableError} from './errors.js'

const POLL_MS = 5
/** Whoever holds the lock has had time to write the state by then, if it lives. */
const ADOPT_AFTER_MS = 1000

/**
 * The environment's running anchor, started when there is none.
 *
 * Of several callers one starts it, under the liveness lock that its process then keeps until the kernel drops it;
 * the others wait for the state file. So one tree is never in two namespaces.
 *
 * @param plan - Asked for under that lock: nothing of the environment runs, and nobody else starts it.
 * @throws {AnchorFailedError} @throws {AnchorUnreachableError}
 */
export async function ensureAnchor(
  {name, runFolder}: Pick<AnchorPlan, 'name' | 'runFolder'>,
  plan: () => Promise<AnchorPlan>,
): Promise<Anchor> {
  await makeFolders(runFolder, {mode: 0o700})
  const begun = Date.now()
  while (Date.now() - begun < START_DEADLINE_MS) {
    const live = readLiveAnchor(runFolder)
    if (live !== undefined) return live
    const lock = await takeLock(anchorFiles(runFolder).liveness, {mode: 'exclusive', waitMs: 0})
    if (lock !== undefined) return await launch(runFolder, lock, plan).finally(() => lock.release())
    await sleep(POLL_MS)
    // Whoever started it may have been killed before it wrote the state: what bwrap wrote is as good.
    const adopted = Date.now() - begun > ADOPT_AFTER_MS ? await recordAnchor(runFolder) : undefined
    if (adopted !== undefined) return adopted
  }
  throw new AnchorUnreachableError(name)
}

async function launch(runFolder: string, lock: Lock, plan: () => Promise<AnchorPlan>): Promise<Anchor> {
  // Others wait while the plan is made, and the process that the last start named may be anybody's by now.
  await rm(anchorFiles(runFolder).info, {force: true})
  return startAnchor(await plan(), lock)
}

/** Whether anything of the environment lives: by its state, and by the lock a guest can't see but might drop. */
export async function isRunning(runFolder: string): Promise<boolean> {
  if (readLiveAnchor(runFolder) !== undefined) return true
  try {
    return !(await isLockFree(anchorFiles(runFolder).liveness))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
