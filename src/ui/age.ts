import {UsageError} from '../errors.js'

const HOUR_MS = 3_600_000
const UNITS: Readonly<Record<string, number>> = {
  h: HOUR_MS,
  d: 24 * HOUR_MS,
  w: 7 * 24 * HOUR_MS,
}

/** Reads `12h`, `7d`, `2w`, or days without a unit. @returns Milliseconds. @throws {UsageError} */
export function parseAge(text: string): number {
  const {count, unit = 'd'} = /^(?<count>\d{1,5})(?<unit>[hdw])?$/.exec(text)?.groups ?? {}
  const unitMs = UNITS[unit]
  if (count === undefined || unitMs === undefined)
    throw new UsageError(`"${text}" is not a valid age.`, ['Write hours, days or weeks: 12h, 7d, 2w'])
  return Number(count) * unitMs
}
