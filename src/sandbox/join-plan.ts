import {constants, readFileSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno} from '../host/errno.js'
import {writeFileAtomic} from '../host/files.js'
import {packageRoot} from '../host/paths.js'
import {bootId} from '../host/proc.js'
import {type Anchor, anchorFiles} from './anchor-state.js'
import {type SessionPlace, type SessionRequest, sessionNumbers, sessionOptions} from './session-options.js'

/** All that templates/host/join.pl needs to know of a session beside the anchor. */
export type JoinPlan = {
  readonly place: Omit<SessionPlace, 'anchor' | 'parentPid'>
  readonly request: SessionRequest
  /** Variables that each session takes from its own surroundings; none of them is in `request`. */
  readonly passedOn: readonly string[]
  readonly filter: Uint8Array
  readonly folder: string
  readonly lock: string
  readonly uid: number
  /** Text of the user's settings, which had a say in all this; undefined where there are none. */
  readonly settings: string | undefined
}

/** What stands for a build of envs: another one may plan otherwise. */
const BUILD = [
  'dist',
  ...[
    'session.pl',
    'session/terminal.pl',
    'session/streams.pl',
    'session/volumes.pl',
    'session/single-id.pl',
    'join.pl',
  ].map((name) => `templates/host/${name}`),
]

/** The plan as templates/host/join.pl reads it: fields that end with a NUL; none of them can have one in it. */
export function joinPlanText(plan: JoinPlan, anchor: Anchor): string {
  const options = sessionOptions(plan.place, plan.request)
  const fields = [
    'envs-join-2',
    BUILD.map((path) => identityOf(join(packageRoot(), path))).join(' '),
    String(plan.uid),
    plan.settings === undefined ? '-' : `+${plan.settings}`,
    ...[bootId(), String(anchor.pid), anchor.startTime],
    String(constants.O_NOFOLLOW),
    sessionNumbers(plan.place.architecture),
    Buffer.from(plan.filter).toString('hex'),
    ...[plan.folder, plan.lock],
    ...[String(options.length), ...options],
    ...[String(plan.passedOn.length), ...plan.passedOn],
    ...plan.request.command,
  ]
  return fields.map((field) => `${field}\0`).join('')
}

/** Leaves a plan for sessions that come without Node, unless it is there; they come with Node where it can't be. */
export async function keepJoinPlan(runFolder: string, plan: JoinPlan, anchor: Anchor): Promise<void> {
  const path = anchorFiles(runFolder).plan
  const text = joinPlanText({...plan, request: {...plan.request, command: []}}, anchor)
  try {
    if (readFileSync(path, 'utf8') === text) return
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) return
  }
  // Not synced: after a crash it names another boot. The environment may be on its way out, or the disk full.
  await writeFileAtomic(path, text, {mode: 0o600, isSynced: false}).catch(() => {})
}

/** As `stat` of Perl has it: whole seconds. */
function identityOf(path: string): string {
  try {
    const {dev, ino, size, ctimeMs} = statSync(path)
    return [dev, ino, size, Math.floor(ctimeMs / 1000)].join(':')
  } catch {
    return 'none'
  }
}
