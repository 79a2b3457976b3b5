import {isErrno} from './errno.js'
import type {Host} from './host.js'
import {ended, start} from './process.js'
import {findPerl, scriptWords} from './script.js'
import type {SubidRange} from './subid-file.js'
import {subordinateRanges} from './subordinate-ranges.js'
import {systemCalls} from './system-calls.js'

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
