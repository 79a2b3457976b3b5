import type {Timestamp} from '../tar/member.js'

/**
 * Returns the time for utimes of node:fs, exact to the microsecond; the kernel's is exact to the nanosecond.
 * Seconds pass through a double, and libuv truncates to microseconds.
 */
export function modificationTime(modified: Timestamp): number | string {
  // node:fs replaces a negative number by the current time, but not a text.
  if (modified.startsWith('-')) return modified
  const [seconds, fraction = ''] = modified.split('.')
  const microseconds = Number(fraction.slice(0, 6).padEnd(6, '0'))
  // Half a microsecond more keeps the double, which is coarser than 0.1 µs, from being truncated to the one
  // before.
  return microseconds === 0 ? Number(seconds) : Number(seconds) + (microseconds + 0.5) / 1e6
}
