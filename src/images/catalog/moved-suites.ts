import type {Catalogue} from './catalogue.js'
import type {Release} from './release.js'

const DAY_MS = 86_400_000
/**
 * How long a release with years of paid support stays on the archive after the last of it. 12.04 was there
 * for two years more, and the tables are behind when support is prolonged.
 */
const LTS_STAY_MS = 2 * 365 * DAY_MS

/**
 * Codenames of Ubuntu whose packages are on old-releases.ubuntu.com, no longer on the archive: of the short-lived
 * ones, those past their end of life; of the others, those that nobody supports any more at any price.
 *
 * @see https://wiki.ubuntu.com/EndOfLifeProcess
 */
export function movedSuites({releases}: Catalogue, now: Date): string[] {
  return releases
    .filter((release) => release.distribution === 'ubuntu' && hasMoved(release, now))
    .map(({codename}) => codename)
}

function hasMoved({eol}: Release, now: Date): boolean {
  const paid = lastOf(eol.extended, eol.legacy)
  const last = lastOf(eol.standard, paid)
  if (last === undefined) return false
  const stayMs = paid === undefined ? 0 : LTS_STAY_MS
  return now.getTime() >= last.getTime() + DAY_MS + stayMs
}

function lastOf(...days: (Date | undefined)[]): Date | undefined {
  const times = days.flatMap((day) => (day === undefined ? [] : [day.getTime()]))
  return times.length === 0 ? undefined : new Date(Math.max(...times))
}
