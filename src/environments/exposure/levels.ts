/** From the lowest to the highest. */
export const EXPOSURE_LEVELS = ['none', 'low', 'medium', 'high'] as const

/** How much harm a hostile program can do with a part of the host. */
export type ExposureLevel = (typeof EXPOSURE_LEVELS)[number]

/** Returns the highest level of some lines or reports. */
export function highestLevel(rated: readonly {readonly level: ExposureLevel}[]): ExposureLevel {
  return EXPOSURE_LEVELS.findLast((level) => rated.some((each) => each.level === level)) ?? 'none'
}

/** Returns whether a level is as high as another, or higher. */
export function reaches(level: ExposureLevel, limit: ExposureLevel): boolean {
  return EXPOSURE_LEVELS.indexOf(level) >= EXPOSURE_LEVELS.indexOf(limit)
}
