import {openHost} from '../../src/host/host.js'
import {accountName, ownRanges, readSubidFiles, type SubidRange} from '../../src/host/id-mapping.js'

/** The second line of this account in /etc/subuid and in /etc/subgid: envs uses the first alone. .ci/run adds one. */
export type SecondRange = {readonly uids: SubidRange; readonly gids: SubidRange}

/** Returns the second range of this account, which can stand for a range that it had before; undefined where it has one range. */
export async function secondRange(): Promise<SecondRange | undefined> {
  const account = {user: accountName(), uid: openHost().uid}
  const {subuid, subgid} = await readSubidFiles()
  const [, uids] = ownRanges(subuid, account)
  const [, gids] = ownRanges(subgid, account)
  return uids === undefined || gids === undefined ? undefined : {uids, gids}
}
