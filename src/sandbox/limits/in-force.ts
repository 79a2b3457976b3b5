import {readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {unlessErrno} from '../../host/errno.js'
import {limitsNotEnforcedError} from '../errors.js'
import {GROUP_FILES, type GroupLimit} from './groups.js'
import {LIMIT_NAMES, unenforced} from './limits.js'
import type {Enforcement, RunningLimits} from './schema.js'

/** The limits of an environment that is to start. */
export type PlannedLimits = Pick<RunningLimits, 'values' | 'enforced'> & {
  /** The limits that a control group of the environment is to have, and the mount point of the host's cgroup2. */
  readonly inGroup?: {readonly mount: string; readonly limits: readonly GroupLimit[]}
}

/**
 * Returns the limits of an environment that has started: what the kernel says of its control group, and not what was asked for.
 *
 * @param options.guests - The group of a guest's own init, which is below the one with the limits.
 */
export function limitsInForce(
  {inGroup, values, enforced}: PlannedLimits,
  {pid, guests}: {readonly pid: number; readonly guests: string | undefined},
): RunningLimits {
  if (inGroup === undefined) return {values, enforced}
  const group = guests === undefined ? join(inGroup.mount, groupOf(pid)) : dirname(guests)
  const refused: {[Each in GroupLimit]?: Enforcement} = {}
  for (const limit of inGroup.limits) if (!isInForce(group, limit, values[limit])) refused[limit] = 'none'
  return {values, enforced: {...enforced, ...refused}, group}
}

/** @see cgroups(7) */
function groupOf(pid: number): string {
  const text = unlessErrno(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8')) ?? ''
  return /^0::(.*)$/m.exec(text)?.[1] ?? '/'
}

function isInForce(group: string, limit: GroupLimit, wanted: number | undefined): boolean {
  const text = unlessErrno(() => readFileSync(join(group, GROUP_FILES[limit]), 'utf8'))
  if (text === undefined || wanted === undefined) return false
  const [first = '', second = ''] = text.trim().split(/\s+/)
  switch (limit) {
    case 'cpus':
      return Number(first) / Number(second) <= wanted + ROUNDING
    case 'ioWeight':
      return first === 'default' && Number(second) === wanted
    case 'memoryBytes':
    case 'processes':
      // The kernel rounds down to whole pages; "max" is not a number.
      return Number(first) <= wanted
  }
}

/** @throws {@link limitsNotEnforcedError} When the user requires limits that the kernel does not enforce for all of the environment. */
export function requireEnforced(name: string, limits: Pick<RunningLimits, 'values' | 'enforced'>): void {
  const missing = unenforced(limits)
  if (limits.values.isRequired === true && missing.length > 0)
    throw limitsNotEnforcedError({name, limits: missing.map((limit) => LIMIT_NAMES[limit])})
}

/** Of a percent. */
const ROUNDING = 0.006

/** Returns how many processes of a group the kernel has ended for lack of memory; null where that is unknown. */
export function countMemoryKills(group: string): number | null {
  const text = unlessErrno(() => readFileSync(join(group, 'memory.events'), 'utf8'))
  const count = /^oom_kill (\d+)$/m.exec(text ?? '')?.[1]
  return count === undefined ? null : Number(count)
}
