import type {MappingObstacle} from './id-mapping.js'
import {parseSubidFile, rangeLine} from './subid-file.js'

/** What the remedy is written for: the account, and what /etc/subuid and /etc/subgid hold. */
export type RemedyFacts = {
  readonly user: string | undefined
  readonly uid: number
  readonly subuid: string
  readonly subgid: string
}

/** What was seen of each obstacle, to go behind a colon. */
export const OBSTACLE_EVIDENCE: Readonly<Record<MappingObstacle, string>> = {
  'no-newuidmap': 'newuidmap or newgidmap is missing or not setuid',
  'no-new-privs': 'NoNewPrivs is 1 in /proc/self/status, so newuidmap does not work',
  'no-subuid-range': '/etc/subuid or /etc/subgid has no line for this account',
  'no-user-namespaces': 'user namespaces are not available',
  'old-util-linux': 'unshare is missing, or has no --map-auto, and there is no perl to replace it',
  unknown: 'a trial failed',
}

/** The next step for an obstacle; what only an administrator can do is worded to be sent to one. */
export function mappingRemedy(obstacle: MappingObstacle, facts: RemedyFacts): string {
  switch (obstacle) {
    case 'no-newuidmap':
      return 'Ask an administrator to install the package uidmap, which holds newuidmap and newgidmap, setuid root.'
    case 'no-subuid-range':
      return `Ask an administrator to add this line to /etc/subuid and to /etc/subgid: ${missingLine(facts)}`
    case 'no-new-privs':
      return 'Start envs outside of its sandbox or service, which forbids new privileges (NoNewPrivs): newuidmap does not work there.'
    case 'no-user-namespaces':
      return 'Run `envs doctor`: see why this host makes no user namespaces.'
    case 'old-util-linux':
      return 'Download perl into your own folder: envs doctor --fetch perl. Or ask an administrator for util-linux 2.38 or later, whose unshare has --map-auto.'
    case 'unknown':
      return 'Run `unshare --map-auto --map-root-user --mount true` (util-linux 2.38 or later) to see what the system answers.'
  }
}

function missingLine({user, uid, subuid, subgid}: RemedyFacts): string {
  return rangeLine(user ?? String(uid), [...parseSubidFile(subuid), ...parseSubidFile(subgid)])
}
