import {readFile, stat} from 'node:fs/promises'
import {userInfo} from 'node:os'
import {systemCalls} from './arch.js'
import {ignoring, isErrno} from './errno.js'
import type {Host} from './host.js'
import {utilLinuxVersion} from './os-release.js'
import {readProcessStatus} from './proc.js'
import {capture, ended, findPerl, scriptWords, start} from './process.js'

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

/** What stands between this user and a user namespace with many ids. */
export type MappingObstacle =
  | 'no-newuidmap'
  | 'no-subuid-range'
  | 'no-new-privs'
  | 'no-user-namespaces'
  | 'old-util-linux'
  | 'unknown'

export type MappingProbe =
  | {readonly works: true; readonly way: IdMapper['way']}
  | {readonly works: false; readonly reason: MappingObstacle}

const SETUID = 0o4000

/**
 * Finds out whether a range of ids can be mapped, by mapping one.
 *
 * A plain user namespace is tried first: where the kernel refuses it, `unshare --map-auto` leaves a helper
 * process behind that waits for ever. The mount namespace is part of the trials: where AppArmor takes the
 * capabilities of a new user namespace away, the mapping alone succeeds and nothing that needs it does.
 *
 * Reads what the trials end with, and files; never what a program printed as an error.
 */
export async function probeMapped(host: MapperHost): Promise<MappingProbe> {
  const unshare = host.which('unshare')
  if (unshare === undefined) return blockedBy('old-util-linux')
  if (!(await succeeds([unshare, '--map-root-user', '--mount', '--', 'true']))) {
    const isUtilLinux = (await utilLinuxVersion(unshare)) !== undefined
    return blockedBy(isUtilLinux ? 'no-user-namespaces' : 'old-util-linux')
  }
  const mapper = await findIdMapper(host)
  if (mapper !== undefined && (await succeeds([...mapper.prefix, unshare, '--mount', '--', 'true']))) {
    return {works: true, way: mapper.way}
  }
  return blockedBy(await findMappingObstacle(host, mapper))
}

function blockedBy(reason: MappingObstacle): MappingProbe {
  return {works: false, reason}
}

/** What keeps `mapper` from working, or a host from having one. */
export async function findMappingObstacle(
  host: MapperHost,
  mapper: IdMapper | undefined,
): Promise<MappingObstacle> {
  if ((await readProcessStatus()).noNewPrivileges) return 'no-new-privs'
  const programs = [host.which('newuidmap'), host.which('newgidmap')]
  if (programs.includes(undefined)) return 'no-newuidmap'
  if ((await subordinateRanges(host)) === undefined) return 'no-subuid-range'
  if (mapper === undefined) return 'old-util-linux'
  // Some distributions give file capabilities instead of the bit, which Node can't read: hence the last look.
  const areSetuid = await Promise.all(programs.map((program) => program !== undefined && isSetuid(program)))
  return areSetuid.includes(false) ? 'no-newuidmap' : 'unknown'
}

async function isSetuid(program: string): Promise<boolean> {
  return ((await stat(program)).mode & SETUID) !== 0
}

export type MapperHost = Pick<Host, 'which' | 'uid' | 'gid' | 'architecture'>

/** How a range of ids comes into a new user namespace; both ways map the same ids. */
export type IdMapper = {
  /** `unshare`: unshare(1) alone; `newuidmap`: a program of ours, which calls newuidmap(1) and newgidmap(1). */
  readonly way: 'unshare' | 'newuidmap'
  /** Words before a command that is to be root of such a namespace. */
  readonly prefix: readonly string[]
}

const TIMEOUT_MS = 5000

/**
 * The way this host has to map a range, or undefined where it has none. That it works is for a trial to tell.
 *
 * Never the first one for root: unshare takes a login name for the number 0 (seen with util-linux 2.41), and would
 * give root the range of the first account that is listed, and that account the files of root's environments.
 */
export async function findIdMapper(host: MapperHost): Promise<IdMapper | undefined> {
  const unshare = host.which('unshare')
  if (unshare !== undefined && host.uid !== 0 && (await knowsMapAuto(unshare))) return unshareMapper(unshare)
  return findNewuidmapWay(host)
}

/** For a program that knows the option, and a user who is not root. */
export function unshareMapper(unshare: string): IdMapper {
  return {way: 'unshare', prefix: [unshare, '--map-auto', '--map-root-user', '--']}
}

async function findNewuidmapWay(host: MapperHost): Promise<IdMapper | undefined> {
  const perl = findPerl(host)
  const [newuidmap, newgidmap] = [host.which('newuidmap'), host.which('newgidmap')]
  if (perl === undefined || newuidmap === undefined || newgidmap === undefined) return undefined
  const ranges = await subordinateRanges(host)
  if (ranges === undefined) return undefined
  return {
    way: 'newuidmap',
    prefix: [
      ...scriptWords(perl, 'map-ids'),
      String(systemCalls(host.architecture).unshare),
      ...[newuidmap, idMap(host.uid, ranges.uids), newgidmap, idMap(host.gid, ranges.gids)],
    ],
  }
}

/**
 * What `unshare --map-auto --map-root-user` maps: 0 to the caller, and the range from 1 on, one shorter than it is.
 *
 * A tree's owners depend on it, so it must not change when the host gets a newer unshare.
 */
export function idMap(own: number, {start: first, count}: SubidRange): string {
  return [[0, own, 1], ...(count > 1 ? [[1, first, count - 1]] : [])].join(',')
}

/** By the option itself: an unshare that does not know it, or finds no range for it, fails before it gets to the other. */
async function knowsMapAuto(unshare: string): Promise<boolean> {
  return succeeds([unshare, '--map-auto', '--version'])
}

/** Nothing of it is read, so a helper that outlives the program can't keep this waiting on a pipe. */
export async function succeeds(argv: readonly string[]): Promise<boolean> {
  try {
    return (await ended(start(argv, {stdio: 'ignore', timeout: TIMEOUT_MS}))).status === 0
  } catch (error) {
    // A program that can't be started, of another processor for one, does nothing.
    if (isErrno(error)) return false
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

/** What adduser and useradd hand out first, and how much. @see login.defs(5), SUB_UID_MIN, SUB_UID_COUNT */
const FIRST_START = 100_000
const USUAL_COUNT = 65_536

/**
 * Reads /etc/subuid or /etc/subgid.
 *
 * A line that isn't `owner:start:count` is skipped, as newuidmap(1) and unshare(1) do: the file belongs to
 * the administrator, and a comment or another account's slip must not take this user's range away.
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

/** The ranges of one account, named by login or by number, in the order of the file. */
export function ownRanges(
  text: string,
  {user, uid}: {readonly user: string | undefined; readonly uid: number},
): SubidRange[] {
  return parseSubidFile(text).filter(({owner}) => owner === user || owner === String(uid))
}

/** Reads what getsubids(1) prints: `INDEX: OWNER START COUNT`, a line a range. */
export function parseGetsubids(text: string): SubidRange[] {
  return parseSubidFile(text.replaceAll(/^\d+: (\S+) (\d+) (\d+)$/gm, '$1:$2:$3'))
}

/** Where a new range of the usual size would overlap none of `taken`. */
export function freeRangeStart(taken: readonly SubidRange[]): number {
  let start = FIRST_START
  for (const range of [...taken].sort((a, b) => a.start - b.start)) {
    if (range.start >= start + USUAL_COUNT) break
    start = Math.max(start, range.start + range.count)
  }
  return start
}

/** The line that gives `owner` a range of the usual size, free in both files. */
export function rangeLine(owner: string, taken: readonly SubidRange[]): string {
  return `${owner}:${freeRangeStart(taken)}:${USUAL_COUNT}`
}

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

/** The login name of this process's user, or undefined when the host knows none for its id. */
export function accountName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    // A container may run as an id that /etc/passwd doesn't list; getpwuid(3) then finds nothing.
    return undefined
  }
}
