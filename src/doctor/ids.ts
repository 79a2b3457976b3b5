import {stat} from 'node:fs/promises'
import {type AdminRequest, type Check, pass, seeCheck, warn} from '../host/check.js'
import type {Host} from '../host/host.js'
import {
  accountName,
  freeRangeStart,
  type MapperHost,
  type MappingObstacle,
  type MappingProbe,
  mappingRemedy,
  OBSTACLE_EVIDENCE,
  ownRanges,
  parseSubidFile,
  probeMapped,
  type RemedyFacts,
  readSubidFiles,
  type SubidRange,
} from '../host/id-mapping.js'
import {installSteps} from './remedies.js'
import {runTrial} from './trial.js'

const COST =
  'Environments are emulated: every file belongs to one id, services may stay root, and sshd must run as the user who logs in.'

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
export async function checkSubordinateIds(host: MapperHost): Promise<Check<'subordinate-ids'>> {
  const [probe, files] = await Promise.all([probeMapped(host), readSubidFiles()])
  return judgeSubordinateIds({probe, user: accountName(), uid: host.uid, ...files})
}

export function judgeSubordinateIds(facts: SubordinateFacts): Check<'subordinate-ids'> {
  const {probe, subuid, subgid, ...account} = facts
  const [uids, gids] = [ownRanges(subuid, account), ownRanges(subgid, account)]
  if (!probe.works) {
    return warn('subordinate-ids', {
      evidence: `No range was mapped: ${OBSTACLE_EVIDENCE[probe.reason]}.`,
      cost: COST,
      remedy: remedyFor(probe.reason, {...account, subuid, subgid}),
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

function remedyFor(reason: MappingObstacle, facts: RemedyFacts): string {
  if (reason === 'no-user-namespaces') return seeCheck('user-namespaces')
  return reason === 'apparmor' ? seeCheck('apparmor') : mappingRemedy(reason, facts)
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

const SETUID = 0o4000
/** The owner shown for an id that this user namespace does not map, most likely root. */
const UNMAPPED = 65_534

/** One of the two programs that map subordinate ids. */
export type MapperFacts = {
  readonly name: 'newuidmap' | 'newgidmap'
  /** Undefined if it was not found. */
  readonly path: string | undefined
  readonly isSetuid: boolean
  /** From getcap(8), as Fedora sets them instead of the setuid bit; undefined if unknown. */
  readonly capabilities: string | undefined
}

const NAMES = ['newuidmap', 'newgidmap'] as const

export async function checkNewuidmap(
  host: Pick<Host, 'which' | 'uid'>,
  distribution: string | undefined,
): Promise<Check<'newuidmap'>> {
  const programs = await Promise.all(NAMES.map((name) => observe(host, name)))
  return judgeNewuidmap(programs, {distribution, uid: host.uid})
}

const NEWUIDMAP = {id: 'newuidmap', title: 'Setuid newuidmap'} as const

export function judgeNewuidmap(
  programs: readonly MapperFacts[],
  {distribution, uid}: {distribution: string | undefined; uid: number},
): Check<'newuidmap'> {
  const missing = programs.filter(({path}) => path === undefined)
  const cost = COST
  if (missing.length > 0) {
    return warn(NEWUIDMAP, {
      evidence: `Not found: ${missing.map(({name}) => name).join(', ')}.`,
      cost,
      remedy:
        'Ask an administrator to install the package uidmap, which holds newuidmap and newgidmap, setuid root.',
      request: {
        steps: installSteps(distribution, 'uidmap'),
        opens:
          'Two setuid programs of the shadow suite let users map the ids of their lines in /etc/subuid and /etc/subgid, and no others.',
      },
    })
  }
  const powerless = uid === 0 ? [] : programs.filter(isPowerless)
  if (powerless.length > 0) {
    const paths = powerless.map(({path}) => path).join(' ')
    return warn(NEWUIDMAP, {
      evidence: `Neither setuid nor with capabilities: ${paths}.`,
      cost,
      remedy: `Ask an administrator for the setuid bit of ${paths}.`,
      request: {
        steps: [`chmod u+s ${paths}`],
        opens: 'Users may map the ids of their lines in /etc/subuid and /etc/subgid, and no others.',
      },
    })
  }
  return pass(NEWUIDMAP, `${programs.map(describe).join(', ')}.`)
}

function describe({path, isSetuid, capabilities}: MapperFacts): string {
  return `${path} (${isSetuid ? 'setuid' : capabilities || 'its capabilities are not known'})`
}

/** A program with unknown capabilities passes: the trial of a range decides. */
function isPowerless({isSetuid, capabilities}: MapperFacts): boolean {
  return !isSetuid && capabilities === ''
}

async function observe({which}: Pick<Host, 'which'>, name: MapperFacts['name']): Promise<MapperFacts> {
  const path = which(name)
  if (path === undefined) return {name, path, isSetuid: false, capabilities: undefined}
  const {mode, uid} = await stat(path)
  const getcap = which('getcap')
  const told = getcap && (await runTrial([getcap, path]))
  return {
    name,
    path,
    isSetuid: (mode & SETUID) !== 0 && (uid === 0 || uid === UNMAPPED),
    capabilities: told && told.status === 0 ? told.stdout.replace(path, '').trim() : undefined,
  }
}

/** The user who runs envs. */
export type AccountFacts = {readonly uid: number; readonly name: string | undefined}

export function checkAccount({uid}: Pick<Host, 'uid'>): Check<'account'> {
  return judgeAccount({uid, name: accountName()})
}

const ACCOUNT = {id: 'account', title: 'Account'} as const

export function judgeAccount({uid, name}: AccountFacts): Check<'account'> {
  if (uid === 0) {
    return warn(ACCOUNT, {
      evidence: 'The user is 0, root.',
      cost: 'A program that breaks out of an environment is root on the host, and there are no layers and no snapshots.',
      remedy: 'Run envs as an ordinary user: envs needs no root privileges.',
    })
  }
  if (name === undefined) {
    return warn(ACCOUNT, {
      evidence: `The user ${uid} has no name: /etc/passwd does not list it.`,
      cost: 'envs finds no line in /etc/subuid by name, and programs that look up the user fail.',
      remedy: 'Start the container around envs as a user in its /etc/passwd.',
    })
  }
  return pass(ACCOUNT, `${name} (${uid}).`)
}
