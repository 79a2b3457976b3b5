import {closeSync, constants, fstatSync, openSync, readFileSync} from 'node:fs'
import {dirname} from 'node:path'
import {writeFileAtomic} from './atomic-file.js'
import {ignoreFailure} from './errno.js'
import {makeFolders} from './folders.js'

/**
 * Reads what a file of the cache folder holds.
 *
 * @returns undefined for what is not there, is not JSON, or may be somebody else's: as good as never written.
 */
export function recall(path: string): unknown {
  let fd: number | undefined
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    const {uid, mode} = fstatSync(fd)
    if (uid !== process.geteuid?.() || (mode & 0o022) !== 0) return undefined
    return JSON.parse(readFileSync(fd, 'utf8'))
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/**
 * What was found out while things were as they are now.
 *
 * @param key - Of everything that decides about it.
 */
export function recallVerdict(path: string, key: string): unknown {
  const known = recall(path)
  if (typeof known !== 'object' || known === null || !('key' in known) || !('verdict' in known))
    return undefined
  return known.key === key ? known.verdict : undefined
}

export function rememberVerdict(path: string, key: string, verdict: unknown): Promise<void> {
  return remember(path, {key, verdict})
}

/** Keeps what can be found out again: where that can't be done, nothing is lost. Not synced. */
export async function remember(path: string, json: unknown): Promise<void> {
  try {
    await makeFolders(dirname(path), {mode: 0o700})
    await writeFileAtomic(path, `${JSON.stringify(json)}\n`, {mode: 0o600, isSynced: false})
  } catch (error) {
    ignoreFailure(error)
  }
}
