import {constants, readFileSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno} from '../host/errno.js'
import {writeFileAtomic} from '../host/files.js'
import {bootId} from '../host/machine/proc.js'
import {packageRoot} from '../host/paths.js'
import {type Anchor, anchorFiles, recordedNetwork} from './anchor-state.js'
import {outletLock, proxyLock, publicationLock} from './network/helper.js'
import {resolverHead} from './network/outlet.js'
import type {Publication} from './network/publication.js'
import {type SessionPlace, type SessionRequest, sessionNumbers, sessionOptions} from './session-options.js'

/** The facts, apart from the anchor, that templates/host/join.pl needs for a session. */
export type JoinPlan = {
  readonly place: Omit<SessionPlace, 'anchor' | 'parentPid'>
  readonly request: SessionRequest
  /** Names of variables that each session copies from its own environment; `request` has none of them. */
  readonly passedOn: readonly string[]
  readonly filter: Uint8Array
  readonly folder: string
  readonly lock: string
  readonly uid: number
  /** The published ports of a network of its own. */
  readonly publications: readonly Publication[]
  /** Whether a proxy leads to named hosts. */
  readonly hasProxy: boolean
  /** Text of the user's settings file, on which the plan depends; undefined without one. */
  readonly settings: string | undefined
}

/** Files that identify a build of envs: another build may plan differently. */
const BUILD = [
  'dist',
  ...[
    'session.pl',
    'session/account.pl',
    'session/caller-terminal.pl',
    'session/terminal.pl',
    'session/relay.pl',
    'session/streams.pl',
    'session/volumes.pl',
    'session/single-id.pl',
    'session/groups.pl',
    'session/user-manager.pl',
    'session/network.pl',
    'join.pl',
    'join/plan.pl',
    'join/network.pl',
  ].map((name) => `templates/host/${name}`),
]

/** Encodes the plan for templates/host/join.pl: fields terminated by NUL, which no field can contain. */
export function joinPlanText(plan: JoinPlan, anchor: Anchor): string {
  const options = sessionOptions({...plan.place, anchor}, plan.request)
  const fields = [
    'envs-join-3',
    BUILD.map((path) => fileIdentity(join(packageRoot(), path))).join(' '),
    String(plan.uid),
    plan.settings === undefined ? '-' : `+${plan.settings}`,
    ...[bootId(), String(anchor.pid), anchor.startTime],
    String(constants.O_NOFOLLOW),
    sessionNumbers(plan.place.architecture),
    Buffer.from(plan.filter).toString('hex'),
    ...[plan.folder, plan.lock],
    ...networkFields(plan),
    ...[String(options.length), ...options],
    ...[String(plan.passedOn.length), ...plan.passedOn],
    ...plan.request.command,
  ]
  return fields.map((field) => `${field}\0`).join('')
}

/**
 * Returns the lines of resolv.conf(5) in place of those that name the host's servers, and the locks of the helpers of the network: a
 * session starts without Node only while all are held.
 */
function networkFields({
  folder,
  publications,
  hasProxy,
}: Pick<JoinPlan, 'folder' | 'hasProxy' | 'publications'>): string[] {
  const runFolder = join(folder, 'run')
  const network = recordedNetwork(runFolder)
  if (network === undefined) return ['-', '0']
  const locks = [
    ...(network === 'none' ? [] : [outletLock(runFolder)]),
    ...(hasProxy ? [proxyLock(runFolder)] : []),
    ...publications.map((publication) => publicationLock(runFolder, publication)),
  ]
  return [`+${resolverHead(network)}`, String(locks.length), ...locks]
}

/** Writes the plan for sessions that start without Node, unless it is written already. Without a plan, sessions start with Node. */
export async function keepJoinPlan(runFolder: string, plan: JoinPlan, anchor: Anchor): Promise<void> {
  const path = anchorFiles(runFolder).plan
  const text = joinPlanText({...plan, request: {...plan.request, command: []}}, anchor)
  try {
    if (readFileSync(path, 'utf8') === text) return
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) return
  }
  // Not synced: after a crash the plan has the id of another boot. Failures are ignored: the plan only saves time.
  await writeFileAtomic(path, text, {mode: 0o600, isSynced: false}).catch(() => {})
}

/** Identifies a file by the values of Perl's `stat`, which has whole seconds. */
function fileIdentity(path: string): string {
  try {
    const {dev, ino, size, ctimeMs} = statSync(path)
    return [dev, ino, size, Math.floor(ctimeMs / 1000)].join(':')
  } catch {
    return 'none'
  }
}
