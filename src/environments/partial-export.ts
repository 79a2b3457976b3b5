import {constants} from 'node:fs'
import {type FileHandle, lstat, open, opendir, rm, unlink} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {ignoring, isErrno} from '../host/errno.js'
import {lockDescriptor} from '../host/flock.js'
import {partialPath, writerOf} from '../host/partial-files.js'

/** An archive that is being written, beside the place it is for. */
export type PartialExport = {
  readonly partial: string
  /** To write it; whoever does closes it. */
  readonly handle: FileHandle
  /** Says that its writer lives, until it is closed: also while it gets its name. */
  readonly alive: FileHandle
}

const MOST_ATTEMPTS = 3

/**
 * Nobody else may read it.
 *
 * @param path - What the archive is to be called.
 * @throws {NodeJS.ErrnoException}
 */
export async function openPartialExport(path: string): Promise<PartialExport> {
  for (let attempt = 1; ; attempt++) {
    const partial = partialPath(path)
    const alive = await open(partial, 'wx', 0o600)
    try {
      // Before it is locked, another export may take it for a dead one's; and Ctrl-C ends flock(1) too.
      if ((await lock(alive)) !== 'others' || attempt === MOST_ATTEMPTS)
        return {partial, alive, handle: await open(partial, O_WRONLY | O_NOFOLLOW)}
    } catch (error) {
      if (!isErrno(error, 'ENOENT') || attempt === MOST_ATTEMPTS) {
        await giveUp({partial, alive})
        throw error
      }
    }
    await giveUp({partial, alive})
  }
}

async function giveUp({partial, alive}: Pick<PartialExport, 'partial' | 'alive'>): Promise<void> {
  await rm(partial, {force: true})
  await alive.close()
}

/** Whose it is; nobody's can be told on a file system without locks, where nothing is swept then. */
function lock({fd}: FileHandle): Promise<'ours' | 'others' | 'unknown'> {
  return lockDescriptor(fd, {mode: 'exclusive', waitMs: 0}).then(
    (isFree) => (isFree ? 'ours' : 'others'),
    () => 'unknown',
  )
}

const {O_RDWR, O_WRONLY, O_NOFOLLOW, O_NONBLOCK} = constants

/** Takes away what killed exports to the same file have left, where that can be done. */
export async function removeForsakenExports(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    for await (const {name} of await opendir(folder)) {
      if (writerOf(name, path) !== undefined) await removeForsakenExport(join(folder, name)).catch(ignoring())
    }
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}

/** Anybody may have put something of such a name into a folder that is everybody's. */
async function removeForsakenExport(partial: string): Promise<void> {
  const {uid} = await lstat(partial)
  if (uid !== process.getuid?.()) return
  const handle = await open(partial, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
  try {
    if ((await handle.stat()).isFile() && (await lock(handle)) === 'ours') await unlink(partial)
  } finally {
    await handle.close()
  }
}
