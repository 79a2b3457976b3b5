/** A time that is left, for people: `5 s`, `2 min`, `1 h 5 min`; never less than a second. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds))
  if (whole < 100) return `${whole} s`
  const minutes = Math.ceil(whole / 60)
  if (minutes < 100) return `${minutes} min`
  const rest = minutes % 60
  return `${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${rest} min`}`
}
