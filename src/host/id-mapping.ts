import {stat} from 'node:fs/promises'
import {findIdMapper, type IdMapper, type MapperHost, succeeds} from './id-mapper.js'
import {readProcessStatus} from './process-status.js'
import {subordinateRanges} from './subordinate-ranges.js'
import {utilLinuxVersion} from './util-linux.js'

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
