import * as v from 'valibot'
import {oneOfField, type RecordOf} from '../../host/records.js'

const positiveField = v.pipe(v.number(), v.finite(), v.gtValue(0))
const wholeField = v.pipe(positiveField, v.safeInteger())

/** The limits of an environment, as its record has them. */
export const limitsSchema = v.strictObject({
  memoryBytes: v.exactOptional(wholeField),
  /** Time of processors: 1.5 is that of one and a half. */
  cpus: v.exactOptional(positiveField),
  processes: v.exactOptional(wholeField),
  /** Share of the disks' time, of 1 to 10000; 100 is usual. */
  ioWeight: v.exactOptional(wholeField),
  diskBytes: v.exactOptional(wholeField),
  /** Of each session. */
  timeoutSeconds: v.exactOptional(wholeField),
  /** Whether the environment starts only where the kernel enforces all of them. */
  isRequired: v.exactOptional(v.literal(true)),
})

export type Limits = RecordOf<typeof limitsSchema>

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

/**
 * How a limit is enforced:
 * - `environment`: the kernel counts all processes of the environment together.
 * - `process`: the kernel limits each process alone; for `cpus`, the processes have a lower priority.
 * - `start`: envs measures before each session.
 * - `none`: not at all.
 */
const ENFORCEMENTS = ['environment', 'process', 'start', 'none'] as const

export type Enforcement = (typeof ENFORCEMENTS)[number]

const enforcementField = v.exactOptional(oneOfField(ENFORCEMENTS))

/** How each limit that is set is enforced. */
export const enforcedSchema = v.object({
  memoryBytes: enforcementField,
  cpus: enforcementField,
  processes: enforcementField,
  ioWeight: enforcementField,
  diskBytes: enforcementField,
})

export type Enforced = RecordOf<typeof enforcedSchema>

/** The limits of a running environment. */
export const runningLimitsSchema = v.object({
  values: limitsSchema,
  enforced: enforcedSchema,
  /** The control group that has them, a folder of the host; left out where none has. */
  group: v.exactOptional(v.string()),
})

export type RunningLimits = RecordOf<typeof runningLimitsSchema>

/** Returns the limits that the kernel does not enforce for all of the environment. */
export function unenforced({enforced}: Pick<RunningLimits, 'enforced'>): SharedLimit[] {
  return SHARED_LIMITS.filter((limit) => enforced[limit] !== undefined && enforced[limit] !== 'environment')
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
