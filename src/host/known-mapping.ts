import {readFileSync} from 'node:fs'
import {release} from 'node:os'
import {join} from 'node:path'
import type {Host} from './host.js'
import {findIdMapper, type IdMapper, type MapperHost, unshareMapper} from './id-mapper.js'
import {type MappingProbe, probeMapped} from './id-mapping.js'
import {oneOfField} from './records.js'
import {fileFacts, type Memory, openMemory} from './remembered.js'

/** `cache`: where what trials came to is kept; without it each is done anew. */
export type KnowingHost = MapperHost & {readonly paths?: Pick<Host['paths'], 'cache'>}

/** What of the kernel and of this process decides whether ids can be mapped. */
const CIRCUMSTANCES = [
  '/proc/sys/kernel/random/boot_id',
  '/proc/sys/user/max_user_namespaces',
  '/proc/sys/kernel/unprivileged_userns_clone',
  '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
  '/proc/self/uid_map',
  '/proc/self/attr/current',
]

const PROGRAMS = ['unshare', 'newuidmap', 'newgidmap', 'perl']

/** As `probeMapped`, but without a trial where one has succeeded under the same circumstances. */
export async function findMapping(host: KnowingHost): Promise<MappingProbe> {
  const way = recallWay(host)
  if (way !== undefined) return {works: true, way}
  const probe = await probeMapped(host)
  if (probe.works && host.paths !== undefined)
    await memoryOf(host.paths).remember(circumstancesOf(host), probe.way)
  return probe
}

/** As `findIdMapper`, but without asking unshare(1) what it knows where that is known. */
export async function knownIdMapper(host: KnowingHost): Promise<IdMapper | undefined> {
  const unshare = recallWay(host) === 'unshare' ? host.which('unshare') : undefined
  return unshare === undefined ? findIdMapper(host) : unshareMapper(unshare)
}

/** That it failed is never kept: the next command sees at once that the host was repaired. */
function recallWay(host: KnowingHost): IdMapper['way'] | undefined {
  return host.paths === undefined ? undefined : memoryOf(host.paths).recall(circumstancesOf(host))
}

function memoryOf({cache}: Pick<Host['paths'], 'cache'>): Memory<IdMapper['way']> {
  return openMemory(join(cache, 'id-mapping.json'), {schema: oneOfField(['unshare', 'newuidmap'])})
}

function circumstancesOf({which, uid, gid}: MapperHost): string {
  const status = readIfThere('/proc/self/status') ?? ''
  return [
    ...[release(), uid, gid],
    ...CIRCUMSTANCES.map(readIfThere),
    ...(status.match(/^(?:NoNewPrivs|Seccomp|CapBnd):.*$/gm) ?? []),
    ...['/etc/subuid', '/etc/subgid', ...PROGRAMS.map(which)].map(fileFacts),
  ].join('\n')
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
