import {readFile, stat} from 'node:fs/promises'
import {errnoOf} from '../errors.js'
import {accountName} from './account.js'
import type {Host} from './host.js'
import {ended, start} from './process.js'
import {readProcessStatus} from './process-status.js'
import {ownRanges} from './subid-file.js'
import {isAtLeast, MAP_AUTO_SINCE, utilLinuxVersion} from './util-linux.js'

/** What stands between this user and a user namespace with many ids. */
export type MappingObstacle =
  | 'no-newuidmap'
  | 'no-subuid-range'
  | 'no-new-privs'
  | 'no-user-namespaces'
  | 'old-util-linux'
  | 'unknown'

export type MappingProbe = {readonly works: true} | {readonly works: false; readonly reason: MappingObstacle}

const TIMEOUT_MS = 5000
const SETUID = 0o4000

/**
 * Finds out whether a range of ids can be mapped, by mapping one.
 *
 * A plain user namespace is tried first: where the kernel refuses it, `unshare --map-auto` leaves a helper
 * process behind that waits for ever. The mount namespace is part of the trials: where AppArmor takes the
 * capabilities of a new user namespace away, the mapping alone succeeds and nothing that needs it does.
 */
export async function probeMapped(host: Pick<Host, 'which' | 'uid'>): Promise<MappingProbe> {
  const reason = await findObstacle(host)
  return reason === undefined ? {works: true} : {works: false, reason}
}

/** Reads what the trials end with, and files; never what a program printed as an error. */
async function findObstacle(host: Pick<Host, 'which' | 'uid'>): Promise<MappingObstacle | undefined> {
  const unshare = host.which('unshare')
  if (unshare === undefined) return 'old-util-linux'
  if (await succeeds([unshare, '--map-root-user', '--mount', '--', 'true'])) {
    if (await succeeds([unshare, '--map-auto', '--map-root-user', '--mount', '--', 'true'])) {
      return (await isOwnRange(host.uid)) ? undefined : 'no-subuid-range'
    }
    return findMappingObstacle(host, unshare)
  }
  return (await hasMapAuto(unshare)) ? 'no-user-namespaces' : 'old-util-linux'
}

/**
 * Whether what `unshare` mapped is this account's. It takes a login name for the number 0 (seen with util-linux
 * 2.41), so that root would get another account's range, and that account the files of root's environments.
 * Others are believed: a directory service may give them a range that no file lists.
 */
async function isOwnRange(uid: number): Promise<boolean> {
  return uid !== 0 || (await hasSubordinateIds(uid))
}

async function findMappingObstacle(
  host: Pick<Host, 'which' | 'uid'>,
  unshare: string,
): Promise<MappingObstacle> {
  if (!(await hasMapAuto(unshare))) return 'old-util-linux'
  if ((await readProcessStatus()).noNewPrivileges) return 'no-new-privs'
  const programs = [host.which('newuidmap'), host.which('newgidmap')]
  if (programs.includes(undefined)) return 'no-newuidmap'
  if (!(await hasSubordinateIds(host.uid))) return 'no-subuid-range'
  // Some distributions give file capabilities instead of the bit, which Node can't read: hence the last look.
  const areSetuid = await Promise.all(programs.map((program) => program !== undefined && isSetuid(program)))
  return areSetuid.includes(false) ? 'no-newuidmap' : 'unknown'
}

async function hasMapAuto(unshare: string): Promise<boolean> {
  const version = await utilLinuxVersion(unshare)
  return version !== undefined && isAtLeast(version, MAP_AUTO_SINCE)
}

async function hasSubordinateIds(uid: number): Promise<boolean> {
  const account = {user: accountName(), uid}
  const {subuid, subgid} = await readSubidFiles()
  return ownRanges(subuid, account).length > 0 && ownRanges(subgid, account).length > 0
}

/** The text of /etc/subuid and /etc/subgid; a missing file is an empty one. */
export async function readSubidFiles(): Promise<{readonly subuid: string; readonly subgid: string}> {
  const [subuid, subgid] = await Promise.all(['/etc/subuid', '/etc/subgid'].map(readIfThere))
  return {subuid: subuid ?? '', subgid: subgid ?? ''}
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
}

async function isSetuid(program: string): Promise<boolean> {
  return ((await stat(program)).mode & SETUID) !== 0
}

/** Nothing of it is read, so a helper that outlives the program can't keep this waiting on a pipe. */
async function succeeds(argv: readonly string[]): Promise<boolean> {
  try {
    return (await ended(start(argv, {stdio: 'ignore', timeout: TIMEOUT_MS}))).status === 0
  } catch (error) {
    // A program that can't be started, of another processor for one, maps nothing.
    if (errnoOf(error) !== undefined) return false
    throw error
  }
}
