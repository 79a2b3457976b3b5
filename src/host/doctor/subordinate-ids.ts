import {accountName} from '../account.js'
import type {MapperHost} from '../id-mapper.js'
import {probeMapped} from '../id-mapping.js'
import {mappingRemedy, OBSTACLE_EVIDENCE} from '../id-mapping-remedy.js'
import {ownRanges} from '../subid-file.js'
import {readSubidFiles} from '../subordinate-ranges.js'
import {type Check, pass, warn} from './check.js'

const SUBJECT = {id: 'subordinate-ids', title: 'Subordinate ids'} as const

const COST =
  'Environments are emulated: every file belongs to one id, and services that change their user (PostgreSQL, logins by SSH) do not work.'

/** Maps a range of ids for real. Without one environments still work, in another way. */
export async function checkSubordinateIds(host: MapperHost): Promise<Check> {
  const [probe, files] = await Promise.all([probeMapped(host), readSubidFiles()])
  const account = {user: accountName(), uid: host.uid}
  const ranges = ownRanges(files.subuid, account).map(({owner, start, count}) => `${owner}:${start}:${count}`)
  if (probe.works) {
    return pass(
      SUBJECT,
      ranges.length === 0 ? 'A range was mapped.' : `Mapped; /etc/subuid has ${ranges.join(', ')}.`,
    )
  }
  return warn(SUBJECT, {
    evidence: `No range was mapped: ${OBSTACLE_EVIDENCE[probe.reason]}.`,
    cost: COST,
    remedy:
      probe.reason === 'no-user-namespaces'
        ? 'See the check of user namespaces.'
        : mappingRemedy(probe.reason, {...account, ...files}),
  })
}
