import {lstat, stat} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {isErrno} from '../../host/errno.js'
import {noProjectError} from './errors.js'

const PROJECT_FILE = 'envs.toml'

/** Where a search may go. */
export type SearchBounds = {
  readonly uid: number
  /** The user's home folder, above which nothing is looked for; undefined if there is none. */
  readonly home: string | undefined
}

/**
 * Returns the path of the nearest envs.toml, in the folder or above it. The search ends at the home folder, at a mount point and at
 * a folder of another user: a file that somebody else left above would be taken for the user's own.
 *
 * @param folder - An absolute path.
 * @throws {@link noProjectError}
 */
export async function findProjectFile(folder: string, {uid, home}: SearchBounds): Promise<string> {
  const {dev} = await stat(folder)
  for (let at = folder; ; at = dirname(at)) {
    const status = await stat(at)
    if (status.dev !== dev || (status.uid !== uid && at !== folder)) break
    const path = join(at, PROJECT_FILE)
    if (await exists(path)) return path
    if (at === home || at === dirname(at)) break
  }
  throw noProjectError({folder})
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
    return false
  }
}
