const SIZE_UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Returns a size in powers of ten: `999 B`, `1.2 kB`, `46 MB`. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes
  let unit = 'B'
  for (const next of SIZE_UNITS) {
    // Compares the rounded value: 999.95 kB must not become 1000 kB.
    if (Number(showValue(value, unit)) < 1000) break
    value /= 1000
    unit = next
  }
  return `${showValue(value, unit)} ${unit}`
}

/** Returns the value with one decimal if it is below ten. */
function showValue(value: number, unit: string): string {
  return unit === 'B' || value >= 9.95 ? value.toFixed(0) : value.toFixed(1)
}

const UNITS = [
  ['year', 365.25 * 86_400],
  ['month', 30.4375 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const

/** Returns the age of `then` in its largest whole unit; a time in the future is `just now`. */
export function formatRelativeTime(then: Date, now: Date): string {
  const seconds = (now.getTime() - then.getTime()) / 1000
  for (const [unit, length] of UNITS) {
    const count = Math.floor(seconds / length)
    if (count >= 1) return `${count} ${unit}${count === 1 ? '' : 's'} ago`
  }
  return 'just now'
}

/** Returns a time of the user's zone to the minute: `2026-12-02 10:18`. */
export function formatLocalTime(time: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}`
}

/** Returns a remaining time: `5 s`, `2 min`, `1 h 5 min`; at least a second. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds))
  if (whole < 100) return `${whole} s`
  const minutes = Math.ceil(whole / 60)
  if (minutes < 100) return `${minutes} min`
  const rest = minutes % 60
  return `${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${rest} min`}`
}
