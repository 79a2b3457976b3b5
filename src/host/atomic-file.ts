import {randomBytes} from 'node:crypto'
import {constants} from 'node:fs'
import {open, rename, rm} from 'node:fs/promises'
import {dirname} from 'node:path'

const {O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW} = constants

/**
 * Replaces `path` with `data` so that a reader, or a crash, sees the old content or the new one.
 *
 * The last component may be anything a guest could have planted (a link, a FIFO): it is replaced, never
 * opened. The folder itself is trusted.
 *
 * @param mode - Permission bits, whatever the umask.
 * @throws {NodeJS.ErrnoException}
 * @see rename(2)
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  {mode}: {mode: number},
): Promise<void> {
  const partial = `${path}.partial-${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    const file = await open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      await file.writeFile(data)
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, path)
  } catch (error) {
    await rm(partial, {force: true})
    throw error
  }
  await syncFolder(dirname(path))
}

/** Makes a rename in `folder` survive a power cut. @see fsync(2): the entry needs its folder's fsync. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
