import type {LimitsResult} from '../../environments/results.js'
import type {ShownLimit} from '../../sandbox/limits/limits.js'
import {formatBytes} from '../format.js'

/** Describes a limit that the kernel does not enforce for the whole environment. */
const REMAINS: Readonly<Record<ShownLimit['name'], (value: string) => string>> = {
  memory: (value) => `${value} for each process alone`,
  cpus: () => 'a lower priority only',
  processes: () => 'not at all',
  'io-weight': () => 'not at all',
  disk: (value) => `measured before each session, ${value} for each file`,
}

/** Returns a line on limits that the kernel does not enforce for the whole environment; undefined where it enforces all of them. */
export function describeUnenforced(name: string, limits: readonly ShownLimit[]): string | undefined {
  const parts = limits
    .filter(({enforced}) => enforced !== 'environment')
    .map((limit) => `${limit.name} (${remains(limit)})`)
  if (parts.length === 0) return undefined
  return `This host does not enforce all limits of ${name} for the whole environment: ${parts.join(', ')}. See why: envs doctor`
}

function remains(limit: ShownLimit): string {
  return limit.enforced === 'none' ? 'not at all' : REMAINS[limit.name](formatLimit(limit))
}

/** Returns the value of a limit with its unit. */
function formatLimit({name, value}: ShownLimit): string {
  return name === 'memory' || name === 'disk' ? formatBytes(value) : String(value)
}

/** Returns the limits as lines with titles. */
export function limitFields({
  shared,
  timeoutSeconds,
  memoryKills,
}: LimitsResult): (readonly [string, string])[] {
  return [
    ...shared.map((limit) => ['Limit', `${limit.name} ${formatLimit(limit)}${how(limit)}`] as const),
    ...(timeoutSeconds === null ? [] : [['Limit', `timeout ${timeoutSeconds} s, each session`] as const]),
    ...(memoryKills === null || memoryKills === 0
      ? []
      : [['Out of memory', `${memoryKills} processes ended by the kernel since its start`] as const]),
  ]
}

function how(limit: ShownLimit): string {
  return limit.enforced === 'environment' ? '' : `; enforced: ${remains(limit)}`
}

/** Returns the limits as words of `envs set`. */
export function limitWords({shared, timeoutSeconds, isRequired}: LimitsResult): string[] {
  return [
    ...shared.map((limit) => `${limit.name}=${formatLimit(limit)}`),
    ...(timeoutSeconds === null ? [] : [`timeout=${timeoutSeconds}s`]),
    ...(isRequired ? ['require-limits=yes'] : []),
  ]
}
