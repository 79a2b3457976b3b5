const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const

/** A size for people, in powers of ten as disks and downloads are sold: `999 B`, `1.2 kB`, `46 MB`. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes
  let unit = 'B'
  for (const next of UNITS) {
    // Compares what would be shown: 999.95 kB must not become 1000 kB.
    if (Number(showValue(value, unit)) < 1000) break
    value /= 1000
    unit = next
  }
  return `${showValue(value, unit)} ${unit}`
}

/** One decimal while it tells something. */
function showValue(value: number, unit: string): string {
  return unit === 'B' || value >= 9.95 ? value.toFixed(0) : value.toFixed(1)
}
