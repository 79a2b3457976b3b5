import {readFile, stat} from 'node:fs/promises'
import {userInfo} from 'node:os'
import {seeChecks} from './check.js'
import {ignoring, isErrno, limitOf} from './errno.js'
import type {Host} from './host.js'
import {systemCalls} from './machine/arch.js'
import {requireRoom} from './machine/limits.js'
import {utilLinuxVersion} from './machine/os-release.js'
import {APPARMOR_SWITCH, isPowerlessLabel, readProcessStatus} from './machine/proc.js'
import {capture, ended, findPerl, scriptWords, startGroup} from './process.js'

/** Reasons why this user cannot get a user namespace with a range of ids. */
export type MappingObstacle =
  | 'no-newuidmap'
  | 'no-subuid-range'
  | 'no-new-privs'
  | 'no-user-namespaces'
  | 'apparmor'
  | 'old-util-linux'
  | 'unknown'

export type MappingProbe =
  | {readonly works: true; readonly way: IdMapper['way']}
  | {readonly works: false; readonly reason: MappingObstacle}

const SETUID = 0o4000

/**
 * Probes whether a range of ids can be mapped, by a trial.
 *
 * A plain user namespace is tried first, because its failure tells more. The trials include a mount namespace: if
 * AppArmor drops the capabilities of a new user namespace, the mapping succeeds, but mounts fail.
 *
 * Reads exit statuses and files, never the error output of a program.
 */
export async function probeMapped(host: MapperHost): Promise<MappingProbe> {
  requireRoom()
  const unshare = host.which('unshare')
  if (unshare === undefined) return failedProbe('old-util-linux')
  if (!(await succeeds([unshare, '--map-root-user', '--mount', '--', 'true']))) {
    if ((await utilLinuxVersion(unshare)) === undefined) return failedProbe('old-util-linux')
    return failedProbe((await isRestrictedByApparmor()) ? 'apparmor' : 'no-user-namespaces')
  }
  const mapper = await findIdMapper(host)
  if (mapper !== undefined && (await succeeds([...mapper.prefix, unshare, '--mount', '--', 'true']))) {
    return {works: true, way: mapper.way}
  }
  return failedProbe(await findMappingObstacle(host, mapper))
}

function failedProbe(reason: MappingObstacle): MappingProbe {
  return {works: false, reason}
}

/** Returns the reason why `mapper` fails, or why the host has none. */
export async function findMappingObstacle(
  host: MapperHost,
  mapper: IdMapper | undefined,
): Promise<MappingObstacle> {
  if ((await readProcessStatus()).noNewPrivileges) return 'no-new-privs'
  const programs = [host.which('newuidmap'), host.which('newgidmap')]
  if (programs.includes(undefined)) return 'no-newuidmap'
  if ((await subordinateRanges(host)) === undefined) return 'no-subuid-range'
  if (mapper === undefined) return 'old-util-linux'
  // Checked last, because some distributions use file capabilities, which Node cannot read, instead of setuid.
  const areSetuid = await Promise.all(programs.map((program) => program !== undefined && isSetuid(program)))
  if (areSetuid.includes(false)) return 'no-newuidmap'
  return (await isPowerless(host)) ? 'apparmor' : 'unknown'
}

async function isRestrictedByApparmor(): Promise<boolean> {
  return (await readIfPresent(APPARMOR_SWITCH)).trim() === '1'
}

/** Returns whether AppArmor lets a program make a user namespace, and takes the rights of its children there. */
async function isPowerless({which}: Pick<Host, 'which'>): Promise<boolean> {
  const unshare = which('unshare')
  if (unshare === undefined || !(await isRestrictedByApparmor())) return false
  const argv = [unshare, '--user', '--map-root-user', '--', 'cat', '/proc/self/attr/current']
  return isPowerlessLabel((await capture(argv, {timeout: TIMEOUT_MS})).stdout)
}

async function isSetuid(program: string): Promise<boolean> {
  return ((await stat(program)).mode & SETUID) !== 0
}

/** Facts for the remedy: the account, and the content of /etc/subuid and /etc/subgid. */
export type RemedyFacts = {
  readonly user: string | undefined
  readonly uid: number
  readonly subuid: string
  readonly subgid: string
}

/** Evidence for each obstacle, to follow a colon. */
export const OBSTACLE_EVIDENCE: Readonly<Record<MappingObstacle, string>> = {
  'no-newuidmap': 'newuidmap or newgidmap is missing or not setuid',
  'no-new-privs': 'NoNewPrivs is 1 in /proc/self/status, so newuidmap does not work',
  'no-subuid-range': '/etc/subuid or /etc/subgid has no line for this account',
  'no-user-namespaces': 'user namespaces are not available',
  apparmor: 'AppArmor takes the rights that unshare needs in a user namespace',
  'old-util-linux': 'unshare is missing, or has no --map-auto, and there is no perl to replace it',
  unknown: 'a trial failed',
}

/** Returns the next step for an obstacle; a step for an administrator can be forwarded as it is. */
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
    case 'apparmor':
      return seeChecks('apparmor')
    case 'old-util-linux':
      return 'Download perl into your own folder: envs doctor --fetch perl. Or ask an administrator for util-linux 2.38 or later, whose unshare has --map-auto.'
    case 'unknown':
      return 'Run `unshare --map-auto --map-root-user --mount true` (util-linux 2.38 or later) to see what the system answers.'
  }
}

function missingLine({user, uid, subuid, subgid}: RemedyFacts): string {
  return rangeLine(user ?? String(uid), [...parseSubidFile(subuid), ...parseSubidFile(subgid)])
}

export type MapperHost = Pick<Host, 'which' | 'uid' | 'gid' | 'architecture'>

/** A way to map a range of ids into a new user namespace; both ways map the same ids. */
export type IdMapper = {
  /** `unshare`: unshare(1); `newuidmap`: templates/host/namespaces/map-ids.pl, which calls newuidmap(1) and newgidmap(1). */
  readonly way: 'unshare' | 'newuidmap'
  /** Prefix of a command that becomes root of the namespace. */
  readonly prefix: readonly string[]
}

const TIMEOUT_MS = 5000

/**
 * Returns the id mapper of this host, untested; undefined if there is none.
 *
 * Never `unshare` for root: unshare parses the number 0 as a login name (seen with util-linux 2.41), and would
 * give root the range of the first listed account.
 */
export async function findIdMapper(host: MapperHost): Promise<IdMapper | undefined> {
  const unshare = host.which('unshare')
  if (unshare !== undefined && host.uid !== 0 && (await knowsMapAuto(unshare))) return unshareMapper(unshare)
  return findNewuidmapMapper(host)
}

/** Returns the mapper of an unshare with --map-auto, for a user other than root. */
export function unshareMapper(unshare: string): IdMapper {
  return {way: 'unshare', prefix: [unshare, '--map-auto', '--map-root-user', '--']}
}

async function findNewuidmapMapper(host: MapperHost): Promise<IdMapper | undefined> {
  const perl = findPerl(host)
  const [newuidmap, newgidmap] = [host.which('newuidmap'), host.which('newgidmap')]
  if (perl === undefined || newuidmap === undefined || newgidmap === undefined) return undefined
  const ranges = await subordinateRanges(host)
  if (ranges === undefined) return undefined
  return {
    way: 'newuidmap',
    prefix: [
      ...scriptWords(perl, 'namespaces/map-ids'),
      String(systemCalls(host.architecture).unshare),
      ...[newuidmap, idMap(host.uid, ranges.uids), newgidmap, idMap(host.gid, ranges.gids)],
    ],
  }
}

/**
 * Returns the mapping of `unshare --map-auto --map-root-user`: 0 to the caller, ids from 1 on to the range, except
 * its last id.
 *
 * The owners of a tree depend on it, so it must not change with a newer unshare.
 */
export function idMap(own: number, {start: first, count}: SubidRange): string {
  return [[0, own, 1], ...(count > 1 ? [[1, first, count - 1]] : [])].join(',')
}

/**
 * Returns argv prefixes for a program that is root of a new user namespace with the caller as its only id, the usual one first.
 * Where AppArmor restricts user namespaces, unshare(1) may fail, or make one whose root has no capabilities, and bwrap(1)
 * have a profile of its own.
 */
export function rootPrefixes({
  which,
  architecture,
}: Pick<MapperHost, 'which' | 'architecture'>): readonly (readonly string[])[] {
  const [unshare, bwrap, perl] = [which('unshare'), which('bwrap'), findPerl({which})]
  return [
    ...(unshare === undefined ? [] : [[unshare, '--user', '--map-root-user', '--']]),
    ...(bwrap === undefined || perl === undefined
      ? []
      : [[...scriptWords(perl, 'namespaces/root-by-bwrap'), String(systemCalls(architecture).setns), bwrap]]),
  ]
}

/** Returns whether unshare has --map-auto and finds a range: otherwise it fails before it handles --version. */
async function knowsMapAuto(unshare: string): Promise<boolean> {
  return succeeds([unshare, '--map-auto', '--version'])
}

/** Returns whether a program exits with 0; kills the helpers that it leaves. */
export async function succeeds(argv: readonly string[]): Promise<boolean> {
  try {
    return (await ended(startGroup(argv, {stdio: 'ignore', timeout: TIMEOUT_MS}))).status === 0
  } catch (error) {
    // A program that cannot be started, such as one of another processor, has no effect.
    if (isErrno(error) && limitOf(error) === undefined) return false
    throw error
  }
}

/** A block of ids that an account may use inside its user namespaces. */
export type SubidRange = {
  /** A login name, or a user id in decimal. */
  readonly owner: string
  readonly start: number
  readonly count: number
}

/** Ids are 32 bits wide, and the last one stands for "no id". @see user_namespaces(7) */
const ID_LIMIT = 0xffffffff

/** First id and size of the ranges of adduser and useradd. @see login.defs(5), SUB_UID_MIN, SUB_UID_COUNT */
const FIRST_START = 100_000
const USUAL_COUNT = 65_536

/**
 * Parses /etc/subuid or /etc/subgid.
 *
 * A malformed line is skipped, as newuidmap(1) and unshare(1) do: a comment, or a mistake in the line of another
 * account, must not remove the range of this user.
 *
 * @see subuid(5)
 */
export function parseSubidFile(text: string): SubidRange[] {
  return text.split('\n').flatMap((line) => {
    const [owner, start, count, ...rest] = line.split(':')
    if (!owner || start === undefined || count === undefined || rest.length > 0) return []
    if (!/^\d+$/.test(start) || !/^\d+$/.test(count)) return []
    const range = {owner, start: Number(start), count: Number(count)}
    return range.count > 0 && range.start + range.count <= ID_LIMIT ? [range] : []
  })
}

/** Returns the ranges of an account, by login name or number, in file order. */
export function ownRanges(
  text: string,
  {user, uid}: {readonly user: string | undefined; readonly uid: number},
): SubidRange[] {
  return parseSubidFile(text).filter(({owner}) => owner === user || owner === String(uid))
}

/** Parses the output of getsubids(1): `INDEX: OWNER START COUNT`, one range per line. */
export function parseGetsubids(text: string): SubidRange[] {
  return parseSubidFile(text.replaceAll(/^\d+: (\S+) (\d+) (\d+)$/gm, '$1:$2:$3'))
}

/** Returns the start of a free range of the usual size. */
export function freeRangeStart(taken: readonly SubidRange[]): number {
  let start = FIRST_START
  for (const range of [...taken].sort((a, b) => a.start - b.start)) {
    if (range.start >= start + USUAL_COUNT) break
    start = Math.max(start, range.start + range.count)
  }
  return start
}

/** Returns a line that gives `owner` a range of the usual size, free in both files. */
export function rangeLine(owner: string, taken: readonly SubidRange[]): string {
  return `${owner}:${freeRangeStart(taken)}:${USUAL_COUNT}`
}

const GETSUBIDS_TIMEOUT_MS = 5000

/** The subordinate ranges of an account. */
export type SubordinateRanges = {readonly uids: SubidRange; readonly gids: SubidRange}

/**
 * Returns the ranges of this account: its first line in each file, as unshare(1) uses.
 *
 * @returns Undefined if the account has none, neither in the files nor according to getsubids(1), which also
 * queries a directory service.
 */
export async function subordinateRanges(
  host: Pick<Host, 'which' | 'uid'>,
): Promise<SubordinateRanges | undefined> {
  const account = {user: accountName(), uid: host.uid}
  const {subuid, subgid} = await readSubidFiles()
  const uids = ownRanges(subuid, account)[0] ?? (await runGetsubids(host, account.user, []))
  const gids = ownRanges(subgid, account)[0] ?? (await runGetsubids(host, account.user, ['-g']))
  return uids === undefined || gids === undefined ? undefined : {uids, gids}
}

/** Reads /etc/subuid and /etc/subgid; a missing file is empty. */
export async function readSubidFiles(): Promise<{readonly subuid: string; readonly subgid: string}> {
  const [subuid, subgid] = await Promise.all(['/etc/subuid', '/etc/subgid'].map(readIfPresent))
  return {subuid: subuid ?? '', subgid: subgid ?? ''}
}

async function runGetsubids(
  {which}: Pick<Host, 'which'>,
  user: string | undefined,
  options: readonly string[],
): Promise<SubidRange | undefined> {
  const getsubids = which('getsubids')
  if (getsubids === undefined || user === undefined) return undefined
  try {
    return parseGetsubids(
      (await capture([getsubids, ...options, user], {timeout: GETSUBIDS_TIMEOUT_MS})).stdout,
    )[0]
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}

async function readIfPresent(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(ignoring('ENOENT'))) ?? ''
}

/** Returns the login name of the current user; undefined if the host has none for the id. */
export function accountName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    // In a container the id may be missing in /etc/passwd: then getpwuid(3) fails.
    return undefined
  }
}
