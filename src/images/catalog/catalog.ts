import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno} from '../../host/errno.js'
import {templatePath} from '../../host/paths.js'
import {MalformedListingError, malformedListingError} from '../sources/listings.js'

/** All known releases; those of a distribution are in order of creation. */
export type Catalogue = {readonly releases: readonly Release[]}

/** One release of a distribution, from its distro-info table. */
export type Release = {
  readonly distribution: CataloguedDistribution
  /** `focal`: the name in URLs. */
  readonly codename: string
  /** `Focal Fossa`. */
  readonly title: string
  /** `20.04`, `13`; undefined for a release without a number: `sid`. */
  readonly version: string | undefined
  readonly isLts: boolean
  readonly created: Date
  /** Undefined until the day is known. */
  readonly released: Date | undefined
  readonly eol: Support
}

export type CataloguedDistribution = 'ubuntu' | 'debian'

/** Last day of each kind of support; undefined if there is none, or the day is not set yet. */
export type Support = {
  readonly standard: Date | undefined
  /** Ubuntu's Expanded Security Maintenance; Debian's LTS. */
  readonly extended: Date | undefined
  /** Ubuntu's Legacy add-on; Debian's ELTS. */
  readonly legacy: Date | undefined
}

export const DISTRIBUTIONS: readonly CataloguedDistribution[] = ['ubuntu', 'debian']

/** Folder of the tables of the package distro-info-data, which is updated on old releases too. */
const HOST_FOLDER = '/usr/share/distro-info'

/**
 * Reads the newest table of each distribution: the built-in one, or one in `folders`.
 *
 * A table of the host that is missing, malformed or older is ignored.
 *
 * @param folders - Folders that may hold newer `ubuntu.csv` and `debian.csv`; default: the host's.
 */
export async function readCatalogue(folders?: readonly string[]): Promise<Catalogue> {
  if (folders !== undefined) return readTables(folders)
  hostCatalogue ??= readTables([HOST_FOLDER])
  return hostCatalogue
}

/** Memoized: a command reads the catalogue several times, and it changes only with the host's packages. */
let hostCatalogue: Catalogue | undefined

function readTables(folders: readonly string[]): Catalogue {
  return {releases: DISTRIBUTIONS.flatMap((distribution) => newestTable(distribution, folders))}
}

/** Returns the release for a codename, a version or a moving name (`ubuntu`, `stable`). */
export function resolveRelease(word: string, {releases}: Catalogue, now: Date): Release | undefined {
  return (
    releases.find(({codename, version}) => codename === word || version === word) ??
    movingRelease(word, {releases}, now)
  )
}

/** Returns the newest LTS release, which `ubuntu` alone means. */
export function newestLts({releases}: Catalogue, now: Date): Release | undefined {
  return releases.findLast(
    (release) => release.distribution === 'ubuntu' && release.isLts && isReleased(release, now),
  )
}

/** Returns all words that `resolveRelease` knows, for suggestions. */
export function releaseWords({releases}: Catalogue): string[] {
  return [
    ...releases.flatMap(({codename, version}) => (version === undefined ? [codename] : [codename, version])),
    ...DISTRIBUTIONS,
    ...DEBIAN_NAMES,
  ]
}

/** Returns whether standard support has ended; the last day is still supported. */
export function isEol({eol}: Release, now: Date): boolean {
  return eol.standard !== undefined && now.getTime() >= eol.standard.getTime() + DAY_MS
}

export function isReleased({released}: Release, now: Date): boolean {
  return released !== undefined && now >= released
}

/** @see https://www.debian.org/releases/ */
const DEBIAN_NAMES = ['stable', 'oldstable', 'oldoldstable', 'testing', 'unstable'] as const

function movingRelease(word: string, catalogue: Catalogue, now: Date): Release | undefined {
  const debian = catalogue.releases.filter(
    ({distribution, version}) => distribution === 'debian' && version !== undefined,
  )
  const stable = debian.findLastIndex((release) => isReleased(release, now))
  switch (word) {
    case 'ubuntu':
      return newestLts(catalogue, now)
    case 'debian':
    case 'stable':
      return debian[stable]
    case 'oldstable':
      return debian[stable - 1]
    case 'oldoldstable':
      return debian[stable - 2]
    case 'testing':
      return debian[stable + 1]
    case 'unstable':
      return catalogue.releases.find(({codename}) => codename === 'sid')
    default:
      return undefined
  }
}

function newestTable(distribution: CataloguedDistribution, folders: readonly string[]): readonly Release[] {
  const file = `${distribution}.csv`
  const name = templatePath(`catalog/${file}`)
  let newest: readonly Release[] = parseDistroInfo(readFileSync(name, 'utf8'), {distribution, name})
  for (const folder of folders) newest = readNewer(join(folder, file), distribution, newest) ?? newest
  return newest
}

/** @returns undefined for a table that has no more releases, or cannot be read. */
function readNewer(
  path: string,
  distribution: CataloguedDistribution,
  known: readonly Release[],
): readonly Release[] | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    // The first line names the columns. The host's table usually equals the built-in one.
    if (text.trimEnd().split('\n').length - 1 <= known.length) return undefined
    const other = parseDistroInfo(text, {distribution, name: path})
    return other.length > known.length ? other : undefined
  } catch (error) {
    if (error instanceof MalformedListingError || isErrno(error)) return undefined
    throw error
  }
}

/** The tables have fewer than a hundred lines; a larger file is not a table of distro-info. */
const MOST_LINES = 1000

/**
 * Returns the Ubuntu codenames whose packages are on old-releases.ubuntu.com: interim releases after their end of
 * life, and LTS releases after their last paid support.
 *
 * @see https://wiki.ubuntu.com/EndOfLifeProcess
 */
export function movedSuites({releases}: Catalogue, now: Date): string[] {
  return releases
    .filter((release) => release.distribution === 'ubuntu' && hasMoved(release, now))
    .map(({codename}) => codename)
}

/** Returns the release if its images and packages have left their usual servers, because its support ended. */
export function movedRelease(
  {distribution, suite}: {readonly distribution: string; readonly suite: string},
  {releases}: Catalogue,
  now: Date,
): Release | undefined {
  const release = releases.find((one) => one.distribution === distribution && one.codename === suite)
  return release?.distribution === 'ubuntu' && hasMoved(release, now) ? release : undefined
}

/** Describes the end of a release: `Ubuntu 20.10 (Groovy Gorilla) reached its end of life on 2021-07-22`. */
export function describeEnd({distribution, version, codename, title, eol}: Release): string {
  const name = distribution === 'ubuntu' ? 'Ubuntu' : 'Debian'
  const day = lastOf(eol.standard, eol.extended, eol.legacy)?.toISOString().slice(0, 10)
  const when = day === undefined ? '' : ` on ${day}`
  return `${name} ${version ?? codename} (${title}) reached its end of life${when}`
}

const DAY_MS = 86_400_000
/**
 * Time for which a release with paid support stays on the main archive after its support ended. 12.04 stayed for
 * two more years, and the tables are updated late if support is extended.
 */
const LTS_STAY_MS = 2 * 365 * DAY_MS

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

const CODENAME = /^[a-z]{2,32}$/
const VERSION = /^(?<version>\d{1,3}(?:\.\d{1,3}){0,2})(?<lts> LTS)?$/
const DAY = /^(?<year>\d{4})-(?<month>\d{2})-(?<date>\d{2})$/

/**
 * Parses a table of distro-info-data; unknown columns are ignored, because newer versions add some.
 *
 * @param name - Origin of the text, for messages.
 * @throws {MalformedListingError}
 * @see https://debian.pages.debian.net/distro-info-data/ : columns of ubuntu.csv and debian.csv.
 */
export function parseDistroInfo(
  text: string,
  {distribution, name}: {distribution: CataloguedDistribution; name: string},
): Release[] {
  const lines = text.split('\n')
  if (lines.length > MOST_LINES)
    throw malformedListingError({listing: name, at: `line ${MOST_LINES}`, reason: 'too many lines'})
  const columns = (lines[0] ?? '').split(',')
  for (const column of ['version', 'codename', 'series', 'created', 'release', 'eol']) {
    if (!columns.includes(column))
      throw malformedListingError({listing: name, at: 'line 1', reason: `no column ${column}`})
  }
  const releases: Release[] = []
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === '') continue
    const row = new TableRow(line.split(','), columns, (reason) =>
      malformedListingError({listing: name, at: `line ${index + 1}`, reason}),
    )
    releases.push(readRelease(row, distribution))
  }
  return releases
}

function readRelease(row: TableRow, distribution: CataloguedDistribution): Release {
  const codename = row.text('series')
  if (!CODENAME.test(codename)) throw row.wrong('series is not a codename')
  const versionText = row.text('version')
  const match = VERSION.exec(versionText)?.groups
  if (versionText !== '' && match === undefined) throw row.wrong('version is not a number')
  const created = row.day('created')
  if (created === undefined) throw row.wrong('created is missing')
  return {
    distribution,
    codename,
    title: row.text('codename'),
    version: match?.['version'],
    isLts: match?.['lts'] !== undefined,
    created,
    released: row.day('release'),
    eol: {
      standard: row.day('eol'),
      extended: row.day('eol-esm') ?? row.day('eol-lts'),
      legacy: row.day('eol-legacy') ?? row.day('eol-elts'),
    },
  }
}

/** Reads one line by column names; short lines lack their last columns. */
class TableRow {
  constructor(
    private readonly cells: readonly string[],
    private readonly columns: readonly string[],
    readonly wrong: (reason: string) => MalformedListingError,
  ) {}

  text(column: string): string {
    return this.cells[this.columns.indexOf(column)]?.trim() ?? ''
  }

  day(column: string): Date | undefined {
    const text = this.text(column)
    if (text === '') return undefined
    const {year, month, date} = DAY.exec(text)?.groups ?? {}
    const day = new Date(Date.UTC(Number(year), Number(month) - 1, Number(date)))
    // 2024-02-31 becomes a date in March, and text that is not a day becomes NaN.
    if (day.getUTCMonth() !== Number(month) - 1 || day.getUTCDate() !== Number(date))
      throw this.wrong(`${column} is not a day`)
    return day
  }
}
