import {setTimeout as sleep} from 'node:timers/promises'
import {isErrno} from '../host/errno.js'
import {isLockFree, type Lock, lockHolders, takeLock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import {type AnchorPlan, START_DEADLINE_MS, startAnchor} from './anchor-start.js'
import {type Anchor, anchorFiles, readLiveAnchor} from './anchor-state.js'
import {anchorUnreachableError} from './errors.js'

const POLL_MS = 5
/** Longer than who keeps the lock takes to notice that the environment has ended, and to end. */
const RELEASE_MS = 2000

/**
 * The environment's running anchor, started when there is none.
 *
 * Of several callers one starts it, under the liveness lock that its process then keeps until the kernel drops it;
 * the others wait for the state file, which it writes once the holder has told that the guest's root is in place. So one tree is
 * never in two namespaces, and nobody joins what is not yet a guest. Where it is killed before that, the environment ends by
 * itself, for it has no session.
 *
 * @param plan - Asked for under that lock: nothing of the environment runs, and nobody else starts it.
 * @throws {AnchorFailedError} @throws {@link anchorUnreachableError}
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
    if (lock !== undefined) return await launch(lock, plan).finally(() => lock.release())
    await sleep(POLL_MS)
  }
  throw anchorUnreachableError(name, await lockHolders(anchorFiles(runFolder).liveness))
}

async function launch(lock: Lock, plan: () => Promise<AnchorPlan>): Promise<Anchor> {
  return startAnchor(await plan(), lock)
}

/** Whether anything of the environment lives: by its state, and by the lock that is kept for it. */
export async function isRunning(runFolder: string): Promise<boolean> {
  if (readLiveAnchor(runFolder) !== undefined) return true
  return !(await isReleased(runFolder))
}

/** Whether who keeps the lock has let it go, which it does soon after the environment's end. */
export async function isReleased(runFolder: string): Promise<boolean> {
  const begun = Date.now()
  try {
    while (!(await isLockFree(anchorFiles(runFolder).liveness))) {
      if (readLiveAnchor(runFolder) !== undefined || Date.now() - begun > RELEASE_MS) return false
      await sleep(POLL_MS)
    }
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true
    throw error
  }
}
