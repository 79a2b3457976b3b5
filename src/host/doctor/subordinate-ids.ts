import {accountName} from '../account.js'
import type {MapperHost} from '../id-mapper.js'
import {type MappingProbe, probeMapped} from '../id-mapping.js'
import {mappingRemedy, OBSTACLE_EVIDENCE} from '../id-mapping-remedy.js'
import {freeRangeStart, ownRanges, parseSubidFile, type SubidRange} from '../subid-file.js'
import {readSubidFiles} from '../subordinate-ranges.js'
import {type AdminRequest, type Check, pass, warn} from './check.js'

const COST =
  'Environments are emulated: every file belongs to one id, and services that change their user (PostgreSQL, logins by SSH) do not work.'

/** Ids that packages of Debian and Ubuntu use: all below 65536. @see Debian Policy, 9.2.2 */
const WANTED_COUNT = 65_536

/** Facts about an account's ids. */
export type SubordinateFacts = {
  readonly probe: MappingProbe
  readonly user: string | undefined
  readonly uid: number
  /** Text of /etc/subuid and /etc/subgid. */
  readonly subuid: string
  readonly subgid: string
}

/** Maps a range of ids in a trial. Without one, environments are emulated. */
export async function checkSubordinateIds(host: MapperHost): Promise<Check> {
  const [probe, files] = await Promise.all([probeMapped(host), readSubidFiles()])
  return judgeSubordinateIds({probe, user: accountName(), uid: host.uid, ...files})
}

export function judgeSubordinateIds(facts: SubordinateFacts): Check {
  const {probe, subuid, subgid, ...account} = facts
  const [uids, gids] = [ownRanges(subuid, account), ownRanges(subgid, account)]
  if (!probe.works) {
    return warn('subordinate-ids', {
      evidence: `No range was mapped: ${OBSTACLE_EVIDENCE[probe.reason]}.`,
      cost: COST,
      remedy:
        probe.reason === 'no-user-namespaces'
          ? 'See the check of user namespaces.'
          : mappingRemedy(probe.reason, {...account, subuid, subgid}),
      request: probe.reason === 'no-subuid-range' ? rangeRequest(facts, {uids, gids}) : undefined,
    })
  }
  const small = [uids[0], gids[0]].filter((range) => range !== undefined && range.count < WANTED_COUNT)
  const shown = uids.map(asLine).join(', ')
  if (small.length > 0) {
    return warn('subordinate-ids', {
      evidence: `Mapped, but the range is ${small.map((range) => range?.count).join(' and ')} ids, not ${WANTED_COUNT}: ${shown}.`,
      cost: 'Files cannot belong to users with higher ids, such as nobody (65534).',
      remedy: `Ask an administrator for a range of ${WANTED_COUNT} ids in /etc/subuid and /etc/subgid, instead of this one.`,
      request: rangeRequest(facts, {uids: [], gids: []}),
    })
  }
  return pass('subordinate-ids', shown === '' ? 'A range was mapped.' : `Mapped; /etc/subuid has ${shown}.`)
}

/** For the files that have no range for the account. @see usermod(8): as user:first-last */
function rangeRequest(
  {user, uid, subuid, subgid}: SubordinateFacts,
  {uids, gids}: {uids: readonly SubidRange[]; gids: readonly SubidRange[]},
): AdminRequest {
  const first = freeRangeStart([...parseSubidFile(subuid), ...parseSubidFile(subgid)])
  const range = `${first}-${first + WANTED_COUNT - 1}`
  const options = [
    ...(uids.length === 0 ? [`--add-subuids ${range}`] : []),
    ...(gids.length === 0 ? [`--add-subgids ${range}`] : []),
  ]
  return {
    steps: [`usermod ${options.join(' ')} ${user ?? uid}`],
    opens: `This account may own files as ${WANTED_COUNT} more ids, which no other account has.`,
  }
}

function asLine({owner, start, count}: SubidRange): string {
  return `${owner}:${start}:${count}`
}
