import {readFile} from 'node:fs/promises'
import {accountName} from './account.js'
import {ignoring, isErrno} from './errno.js'
import type {Host} from './host.js'
import {capture} from './process.js'
import {ownRanges, parseGetsubids, type SubidRange} from './subid-file.js'

const DIRECTORY_TIMEOUT_MS = 5000

/** The ranges that an account's environments are made of. */
export type SubordinateRanges = {readonly uids: SubidRange; readonly gids: SubidRange}

/**
 * This account's ranges: its first line of each file, which is the one that unshare(1) takes too.
 *
 * @returns Undefined where the account has none, in the files or by the word of getsubids(1), which asks a directory
 * service as well.
 */
export async function subordinateRanges(
  host: Pick<Host, 'which' | 'uid'>,
): Promise<SubordinateRanges | undefined> {
  const account = {user: accountName(), uid: host.uid}
  const {subuid, subgid} = await readSubidFiles()
  const uids = ownRanges(subuid, account)[0] ?? (await askDirectory(host, account.user, []))
  const gids = ownRanges(subgid, account)[0] ?? (await askDirectory(host, account.user, ['-g']))
  return uids === undefined || gids === undefined ? undefined : {uids, gids}
}

/** The text of /etc/subuid and /etc/subgid; a missing file is an empty one. */
export async function readSubidFiles(): Promise<{readonly subuid: string; readonly subgid: string}> {
  const [subuid, subgid] = await Promise.all(['/etc/subuid', '/etc/subgid'].map(readIfThere))
  return {subuid: subuid ?? '', subgid: subgid ?? ''}
}

async function askDirectory(
  {which}: Pick<Host, 'which'>,
  user: string | undefined,
  options: readonly string[],
): Promise<SubidRange | undefined> {
  const getsubids = which('getsubids')
  if (getsubids === undefined || user === undefined) return undefined
  try {
    return parseGetsubids(
      (await capture([getsubids, ...options, user], {timeout: DIRECTORY_TIMEOUT_MS})).stdout,
    )[0]
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}

async function readIfThere(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(ignoring('ENOENT'))) ?? ''
}
