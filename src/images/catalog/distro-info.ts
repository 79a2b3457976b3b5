import {type MalformedListingError, malformedListingError} from '../listing/errors.js'
import type {CataloguedDistribution, Release} from './release.js'

/** The tables hold under a hundred lines; a larger one was not made by distro-info. */
const MOST_LINES = 1000

const CODENAME = /^[a-z]{2,32}$/
const VERSION = /^(?<version>\d{1,3}(?:\.\d{1,3}){0,2})(?<lts> LTS)?$/
const DAY = /^(?<year>\d{4})-(?<month>\d{2})-(?<date>\d{2})$/

/**
 * Reads a table of distro-info-data; columns it does not know are left alone, for newer versions add some.
 *
 * @param name - Where the text is from, for messages.
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
    const row = new Row(line.split(','), columns, (reason) =>
      malformedListingError({listing: name, at: `line ${index + 1}`, reason}),
    )
    releases.push(readRelease(row, distribution))
  }
  return releases
}

function readRelease(row: Row, distribution: CataloguedDistribution): Release {
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

/** One line by the names of its columns; short lines lack their last ones. */
class Row {
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
    // 2024-02-31 makes a date of March, and what is no day none.
    if (day.getUTCMonth() !== Number(month) - 1 || day.getUTCDate() !== Number(date))
      throw this.wrong(`${column} is not a day`)
    return day
  }
}
