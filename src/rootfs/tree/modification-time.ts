import type {Timestamp} from '../tar/member.js'

/**
 * The time as utimes of node:fs takes it, exact to the microsecond where the kernel's own is to the
 * nanosecond: seconds pass through a double, and through libuv's cut at the microsecond.
 */
export function modificationTime(modified: Timestamp): number | string {
  // A negative number would be taken for now; as text it is not.
  if (modified.startsWith('-')) return modified
  const [seconds, fraction = ''] = modified.split('.')
  const microseconds = Number(fraction.slice(0, 6).padEnd(6, '0'))
  // Half a microsecond more keeps the double, which is coarser than 0.1 µs, on the right side of the cut.
  return microseconds === 0 ? Number(seconds) : Number(seconds) + (microseconds + 0.5) / 1e6
}
