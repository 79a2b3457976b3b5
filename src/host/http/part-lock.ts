import {fstatSync, statSync} from 'node:fs'
import {errnoOf} from '../../errors.js'
import {type Lock, lockDescriptor, openLockFile} from '../flock.js'

/** `claimed`: ours to write; `published`: another process finished it while this one waited. */
export type Claim = {readonly kind: 'claimed'; readonly lock: Lock} | {readonly kind: 'published'}

type Options = {
  readonly destination: string
  readonly signal: AbortSignal | undefined
  /** Called once when another process holds the part. */
  readonly onWait: () => void
}

/** How soon a waiting process notices that it was told to stop. */
const WAIT_STEP_MS = 1000

/**
 * Makes this process the only one that writes `part`, or waits for the one that does.
 *
 * The lock lies on the part itself. Publishing renames that very file, so whoever waited on it learns by its
 * inode what became of it: the destination, thrown away, or still a part.
 *
 * @throws {NodeJS.ErrnoException} When the part can't be made.
 * @throws {@link flockMissingError}
 */
export async function claimPart(part: string, options: Options): Promise<Claim> {
  for (;;) {
    const lock = openLockFile(part)
    try {
      await waitFor(lock, options)
      if (isFileAt(lock.fd, part)) return {kind: 'claimed', lock}
      const isPublished = isFileAt(lock.fd, options.destination)
      lock.release()
      if (isPublished) return {kind: 'published'}
    } catch (error) {
      lock.release()
      throw error
    }
  }
}

async function waitFor(lock: Lock, {signal, onWait}: Options): Promise<void> {
  if (await lockDescriptor(lock.fd, {mode: 'exclusive', waitMs: 0})) return
  onWait()
  while (!(await lockDescriptor(lock.fd, {mode: 'exclusive', waitMs: WAIT_STEP_MS}))) {
    signal?.throwIfAborted()
  }
}

function isFileAt(fd: number, path: string): boolean {
  try {
    const [open, there] = [fstatSync(fd), statSync(path)]
    return open.ino === there.ino && open.dev === there.dev
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
