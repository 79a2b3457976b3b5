import type {Enforced, Enforcement, Limits, RunningLimits} from './schema.js'

/** The limits that are of the whole environment, in the order in which they are shown. */
export const SHARED_LIMITS = ['memoryBytes', 'cpus', 'processes', 'ioWeight', 'diskBytes'] as const

export type SharedLimit = (typeof SHARED_LIMITS)[number]

/** The names that users write. */
export const LIMIT_NAMES = {
  memoryBytes: 'memory',
  cpus: 'cpus',
  processes: 'processes',
  ioWeight: 'io-weight',
  diskBytes: 'disk',
} as const satisfies Readonly<Record<SharedLimit, string>>

/** Returns the limits that the kernel does not enforce for all of the environment. */
export function unenforced({enforced}: Pick<RunningLimits, 'enforced'>): SharedLimit[] {
  return SHARED_LIMITS.filter((limit) => enforced[limit] !== undefined && enforced[limit] !== 'environment')
}

/** Returns that none of these limits is enforced. */
export function nothingEnforced(values: Limits): Enforced {
  return Object.fromEntries(
    SHARED_LIMITS.flatMap((limit) => (values[limit] === undefined ? [] : [[limit, 'none'] as const])),
  )
}

/** One limit, with the name that users write. */
export type ShownLimit = {
  readonly name: (typeof LIMIT_NAMES)[SharedLimit]
  readonly value: number
  readonly enforced: Enforcement
}

/** Returns the limits that are set, and how each is enforced. */
export function shownLimits({values, enforced}: Pick<RunningLimits, 'values' | 'enforced'>): ShownLimit[] {
  return SHARED_LIMITS.flatMap((limit) => {
    const [value, how] = [values[limit], enforced[limit]]
    return value === undefined || how === undefined ? [] : [{name: LIMIT_NAMES[limit], value, enforced: how}]
  })
}

/** The priority of processes where no control group limits their time on processors. @see nice(1) */
const LOWER_PRIORITY = 10

/** @see asm-generic/resource.h, which all supported processors use. */
const [RLIMIT_FSIZE, RLIMIT_DATA] = [1, 2]

/**
 * Returns the words for templates/host/limits.pl and session/limits.pl that limit each process alone; empty where there is nothing to
 * limit so.
 */
export function processWords({values, enforced}: Pick<RunningLimits, 'values' | 'enforced'>): string[] {
  const resources = [
    ...(enforced.memoryBytes === 'process' ? [`${RLIMIT_DATA}=${values.memoryBytes}`] : []),
    // No file is larger than all files together may be.
    ...(values.diskBytes === undefined ? [] : [`${RLIMIT_FSIZE}=${values.diskBytes}`]),
  ]
  return [
    ...(resources.length === 0 ? [] : ['rlimits', resources.join(' ')]),
    ...(enforced.cpus === 'process' ? ['nice', String(LOWER_PRIORITY)] : []),
  ]
}
