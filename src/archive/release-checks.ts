import type {ArchiveContext} from './context.js'
import {expiredReleaseError, futureReleaseError, type SuitePlace, wrongSuiteError} from './errors.js'
import type {Pocket} from './pockets.js'
import type {ReleaseFile} from './release-file.js'

/** Clocks without a battery, and mirrors in another zone than they think, are off by less. */
const MOST_AHEAD_MS = 24 * 60 * 60_000

/**
 * Holds a verified Release against what was asked for: a mirror could serve another suite of the same publisher, or an old
 * state of this one.
 *
 * @throws {@link wrongSuiteError} @throws {@link futureReleaseError} @throws {@link expiredReleaseError}
 */
export function checkRelease(
  file: ReleaseFile,
  {place, pocket, context}: {place: SuitePlace; pocket: Pocket; context: ArchiveContext},
): void {
  const {suite, mirror} = place
  const isSuite = pocket.suiteField === undefined || file.suite === pocket.suiteField
  if (file.codename !== pocket.codename || !isSuite) {
    throw wrongSuiteError({
      ...place,
      served: file.suite === undefined ? `${file.codename}` : `${file.codename} (${file.suite})`,
    })
  }
  const {now} = context
  if (file.date.getTime() - now.getTime() > MOST_AHEAD_MS) {
    throw futureReleaseError({...place, date: file.date, now})
  }
  const {validUntil} = file
  if (validUntil === undefined || validUntil > now) return
  if (context.allowExpired !== true) throw expiredReleaseError({...place, validUntil})
  context.onNotice?.({kind: 'release-expired', suite, mirror, validUntil})
}
