import {release} from 'node:os'
import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import type {EngineName} from '../sandbox/engines/select.js'
import {scopeWords} from '../sandbox/init/user-manager.js'
import {
  findLimitGroups,
  GROUP_LIMITS,
  type GroupLimit,
  groupName,
  groupProperties,
  type LimitGroups,
} from '../sandbox/limits/groups.js'
import {type PlannedLimits, requireEnforced} from '../sandbox/limits/in-force.js'
import type {Enforced, Enforcement, Limits} from '../sandbox/limits/schema.js'
import {limitsPrefix} from '../sandbox/limits/words.js'
import type {GuestNamespace} from '../sandbox/second-namespace.js'
import type {SandboxSpec} from '../sandbox/spec.js'
import type {Environment} from '../store/environments.js'
import {diskLimitError} from '../store/errors.js'
import {currentSizes} from '../store/sizes.js'
import {limitsLauncher} from '../store/tools.js'
import type {SandboxFeature, StartContext} from './feature.js'
import {parseTimeout} from './limit-texts.js'

/** Puts an environment, and each of its sessions, under the limits of its record. */
export const limits: SandboxFeature = {
  id: 'limits',
  engines: ['bwrap', 'unshare', 'proot'],
  async beforeSession({host, environment}) {
    const {diskBytes} = presentLimits(environment)
    if (diskBytes === undefined) return
    const [{sizeBytes} = {sizeBytes: 0}] = await currentSizes(host, [environment])
    const sizes = {usedMegabytes: megabytes(sizeBytes), mostMegabytes: megabytes(diskBytes)}
    if (sizeBytes > diskBytes) throw diskLimitError({name: environment.name, ...sizes})
  },
  session(session, {wish: {timeout}}) {
    if (timeout === undefined) return session
    return {...session, request: {...session.request, timeoutSeconds: parseTimeout(timeout)}}
  },
  async apply(spec, context) {
    const values = context.environment.record.settings.limits
    return values === undefined ? spec : withLimits(spec, values, context)
  },
}

/** Returns the limits that hold now: a running environment keeps those of its start. */
function presentLimits({record, files}: Pick<Environment, 'record' | 'files'>): Limits {
  const {limits: set} = record.settings
  const anchor = readLiveAnchor(files.run)
  return (anchor === undefined ? set : anchor.limits?.values) ?? {}
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

async function withLimits(
  spec: SandboxSpec,
  values: Limits,
  {host, environment: {name, files}, engine}: StartContext,
): Promise<SandboxSpec> {
  const {groups, ...planned} = await planLimits(host, values, {
    engine,
    guestNamespace: spec.userNamespace.guest,
  })
  requireEnforced(name, planned)
  const {processes = spec.limits.processes} = values
  const inGroup = planned.inGroup === undefined ? {} : only(values, planned.inGroup.limits)
  const prefix = limitsPrefix({
    launcher: limitsLauncher(host),
    architecture: host.architecture,
    limits: planned,
    group:
      groups?.kind === 'own' ? {mount: groups.mount, name: groupName(files.run), limits: inGroup} : undefined,
  })
  const scope = groups?.kind === 'manager' ? scopeWords(host, groupProperties(inGroup)) : []
  const limited = {...spec, limits: {...spec.limits, processes, planned: {...planned, prefix}}}
  const cgroups = spec.boot?.cgroups
  // A guest's own init has a scope already: the groups of the guest are below the one with the limits.
  if (spec.boot !== undefined && cgroups?.kind === 'real' && cgroups.scope.length > 0 && scope.length > 0)
    return {...limited, boot: {...spec.boot, cgroups: {...cgroups, scope}}}
  return {
    ...limited,
    limits: {...spec.limits, processes, planned: {...planned, prefix: [...scope, ...prefix]}},
  }
}

type LimitCircumstances = {
  readonly engine: EngineName
  readonly guestNamespace: GuestNamespace
}

/** Returns how this host would enforce limits. `groups`: where the control group of the environment is made, if it has one. */
export async function planLimits(
  host: Host,
  values: Limits,
  {engine, guestNamespace}: LimitCircumstances,
): Promise<PlannedLimits & {readonly groups?: LimitGroups}> {
  // The user namespace of a guest has a limit of its own. See src/sandbox/second-namespace.ts.
  const isByNamespace = guestNamespace === 'second' && countsInNamespaces(release())
  const wanted = GROUP_LIMITS.filter(
    (limit) => values[limit] !== undefined && !(limit === 'processes' && isByNamespace),
  )
  // Each session of proot would have a group of its own.
  const groups = wanted.length === 0 || engine === 'proot' ? undefined : await findLimitGroups(host)
  const inGroup = wanted.filter((limit) => groups?.limits.includes(limit))
  const enforced = Object.fromEntries(
    Object.entries(FALLBACKS).flatMap(([limit, fallback]) => {
      if (values[limit as keyof Enforced] === undefined) return []
      const isShared = inGroup.some((each) => each === limit) || (limit === 'processes' && isByNamespace)
      return [[limit, isShared ? 'environment' : fallback] as const]
    }),
  )
  const planned = {values, enforced}
  if (groups === undefined || inGroup.length === 0) return planned
  return {...planned, groups, inGroup: {mount: groups.mount, limits: inGroup}}
}

/** Enforcement of each limit without control groups. */
const FALLBACKS: Readonly<Record<keyof Enforced, Enforcement>> = {
  memoryBytes: 'process',
  cpus: 'process',
  processes: 'none',
  ioWeight: 'none',
  diskBytes: 'start',
}

function only(values: Limits, wanted: readonly GroupLimit[]): Limits {
  return Object.fromEntries(
    wanted.flatMap((limit) => (values[limit] === undefined ? [] : [[limit, values[limit]]])),
  )
}

/** The first Linux whose user namespaces count their processes: 5.14. */
export function countsInNamespaces(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10))
  return major > 5 || (major === 5 && minor >= 14)
}
