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
