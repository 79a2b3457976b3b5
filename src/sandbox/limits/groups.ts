import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {basename, dirname, join} from 'node:path'
import * as v from 'valibot'
import {fileFacts} from '../../host/cache.js'
import {unlessErrno} from '../../host/errno.js'
import {readSmallFile} from '../../host/files.js'
import {capture} from '../../host/process.js'
import {openTrial, type Trial} from '../../host/trials.js'
import {type CgroupHost, findPlace, isDelegated, type Place} from '../init/cgroups.js'
import {managerFolder, scopeWords} from '../init/user-manager.js'
import type {Limits} from './schema.js'

/** The limits that control groups can enforce, by the file of the group. */
export const GROUP_FILES = {
  memoryBytes: 'memory.max',
  cpus: 'cpu.max',
  processes: 'pids.max',
  ioWeight: 'io.weight',
} as const satisfies {readonly [Limit in keyof Limits]?: string}

export type GroupLimit = keyof typeof GROUP_FILES

export const GROUP_LIMITS = [
  'memoryBytes',
  'cpus',
  'processes',
  'ioWeight',
] as const satisfies readonly GroupLimit[]

/** Control groups in which this user can limit processes. */
export type LimitGroups = {
  /** `manager`: a scope of the user manager; `own`: a group below that of this process, which is delegated to this user. */
  readonly kind: 'manager' | 'own'
  /** Mount point of the host's cgroup2. */
  readonly mount: string
  /** The limits that the groups can enforce. */
  readonly limits: readonly GroupLimit[]
}

/** The kind, then the limits; empty where no group can be made. */
const resultSchema = v.array(v.string())

/** Returns the control groups for limits; undefined where this user has none that can limit anything. Trials are remembered. */
export async function findLimitGroups(host: CgroupHost): Promise<LimitGroups | undefined> {
  const place = findPlace()
  return place && read(place, await trialOf(host, place).once(() => tryGroups(host, place)))
}

/** Makes the trials of {@link findLimitGroups}, and remembers nothing. */
export async function examineLimitGroups(host: CgroupHost): Promise<LimitGroups | undefined> {
  const place = findPlace()
  return place && read(place, await tryGroups(host, place))
}

function read({mount}: Place, [kind, ...words]: readonly string[]): LimitGroups | undefined {
  const limits = GROUP_LIMITS.filter((limit) => words.includes(limit))
  if ((kind !== 'manager' && kind !== 'own') || limits.length === 0) return undefined
  return {kind, mount, limits}
}

function trialOf(host: CgroupHost, {own}: Place): Trial<readonly string[]> {
  return openTrial(host, {
    cacheFolder: host.paths.cache,
    name: 'limits',
    schema: resultSchema,
    facts: [
      ...[own, String(isDelegated(own)), fileFacts(host.which('systemd-run'))],
      fileFacts(join(managerFolder(host), 'systemd')),
    ],
  })
}

async function tryGroups(host: CgroupHost, place: Place): Promise<string[]> {
  const byManager = await tryScope(host, place)
  // The manager first: it owns its groups, and those below a terminal's end with the terminal.
  if (byManager.length > 0) return ['manager', ...byManager]
  const own = limitsOfOwn(place)
  return own.length > 0 ? ['own', ...own] : []
}

const TIMEOUT_MS = 10_000

/** Prints the names of the files of its own group that exist. Arguments: the mount point, names. */
const PRINT_FILES =
  'group=$0$(sed -n "s/^0:://p" /proc/self/cgroup); for file; do [ ! -e "$group/$file" ] || echo "$file"; done'

/** A manager accepts limits that it has no controller for: only the files of the group tell. */
async function tryScope(host: CgroupHost, {mount}: Place): Promise<GroupLimit[]> {
  if (host.which('systemd-run') === undefined || !existsSync(join(managerFolder(host), 'systemd'))) return []
  const properties = groupProperties({memoryBytes: 2 ** 30, cpus: 1, processes: 64, ioWeight: 50})
  const files = GROUP_LIMITS.map((limit) => GROUP_FILES[limit])
  const words = [...scopeWords(host, properties), '/bin/sh', '-c', PRINT_FILES, mount, ...files]
  const {status, stdout} = await capture(words, {timeout: TIMEOUT_MS})
  const there = stdout.split('\n')
  return status === 0 ? GROUP_LIMITS.filter((limit) => there.includes(GROUP_FILES[limit])) : []
}

function limitsOfOwn({own}: Place): GroupLimit[] {
  const parent = withoutRest(own)
  if (!isDelegated(parent)) return []
  const controllers = unlessErrno(() => readSmallFile(join(parent, 'cgroup.controllers')))?.split(/\s+/) ?? []
  return GROUP_LIMITS.filter((limit) => controllers.includes(GROUP_FILES[limit].split('.')[0] ?? ''))
}

/** The group that templates/host/limits.pl makes for the processes that are in the way. */
const REST = '/envs-rest'

function withoutRest(group: string): string {
  return group.endsWith(REST) ? group.slice(0, -REST.length) : group
}

/** @see cgroups of systemd.resource-control(5) */
export function groupProperties({memoryBytes, cpus, processes, ioWeight}: Limits): string[] {
  return [
    // Without a limit of its own, swap would take what memory may not.
    ...(memoryBytes === undefined ? [] : [`MemoryMax=${memoryBytes}`, 'MemorySwapMax=0']),
    ...(cpus === undefined ? [] : [`CPUQuota=${Math.round(cpus * 100)}%`]),
    ...(processes === undefined ? [] : [`TasksMax=${processes}`]),
    ...(ioWeight === undefined ? [] : [`IOWeight=${ioWeight}`]),
  ]
}

/** The period of the kernel by default, in microseconds. */
const CPU_PERIOD = 100_000

/** Returns what is written to the files of a group: `FILE=TEXT`. @see Linux Documentation/admin-guide/cgroup-v2.rst */
export function groupValues({memoryBytes, cpus, processes, ioWeight}: Limits): string[] {
  return [
    ...(memoryBytes === undefined ? [] : [`memory.max=${memoryBytes}`, 'memory.swap.max=0']),
    ...(cpus === undefined ? [] : [`cpu.max=${Math.round(cpus * CPU_PERIOD)} ${CPU_PERIOD}`]),
    ...(processes === undefined ? [] : [`pids.max=${processes}`]),
    ...(ioWeight === undefined ? [] : [`io.weight=${ioWeight}`]),
  ]
}

const DIGEST_CHARACTERS = 8

/** Returns a name for a group of an environment. Two stores may have environments of one name. */
export function groupName(runFolder: string): string {
  const digest = createHash('sha256').update(runFolder).digest('hex')
  return `envs-${basename(dirname(runFolder))}-${digest.slice(0, DIGEST_CHARACTERS)}`
}
