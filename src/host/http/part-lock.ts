import {awaitLock, isLockOf, type Lock, openLockFile} from '../flock.js'

/** `claimed`: ours to write; `published`: another process finished it while this one waited. */
export type Claim = {readonly kind: 'claimed'; readonly lock: Lock} | {readonly kind: 'published'}

type Options = {
  readonly destination: string
  readonly signal: AbortSignal | undefined
  /** Called once when another process holds the part. */
  readonly onWait: () => void
}

/**
 * Makes this process the only one that writes `part`, or waits for the one that does.
 *
 * The lock lies on the part itself. Publishing renames that very file, so whoever waited on it learns by its
 * inode what became of it: the destination, thrown away, or still a part.
 *
 * @throws {NodeJS.ErrnoException} When the part can't be made.
 * @throws {@link flockMissingError}
 */
export async function claimPart(part: string, {destination, ...waiting}: Options): Promise<Claim> {
  for (;;) {
    const lock = await awaitLock(openLockFile(part), waiting)
    if (isLockOf(lock, part)) return {kind: 'claimed', lock}
    const isPublished = isLockOf(lock, destination)
    lock.release()
    if (isPublished) return {kind: 'published'}
  }
}
