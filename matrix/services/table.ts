import type {CellResult} from './cell.js'
import {SERVICE_PACKAGES} from './packages.js'

/** A line of matrix/services.tsv: what was seen of one package, or with `whole` of all, in one environment. */
export type Row = {
  readonly release: string
  readonly identity: string
  /** `systemd, delegated`, `systemd, make-believe` or `services`. */
  readonly init: string
  readonly what: string
  readonly result: string
  /** `2026-11-29`, UTC. */
  readonly date: string
}

/** @param groups - The control groups of the host, as the flag names them. */
export function rowsOf(result: CellResult, {groups, date}: {groups: string; date: string}): Row[] {
  const {release, identity, whole, bootMs, answers} = result
  const init = result.init === 'systemd' ? `systemd, ${groups}` : 'services'
  const row = (what: string, text: string): Row => ({release, identity, init, what, result: text, date})
  return [
    row(WHOLE, `${whole}, ${(bootMs / 1000).toFixed(0)} s`),
    ...answers.map((answer) =>
      row(
        answer.package,
        answer.result === 'silent' ? `no (${answer.state})` : answer.result === 'absent' ? '-' : 'yes',
      ),
    ),
  ]
}

const WHOLE = 'the whole'

const COLUMNS = ['release', 'identity', 'init', 'what', 'result', 'date'] as const

export function parseRows(text: string): Row[] {
  return text
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split('\t')
      if (fields.length !== COLUMNS.length) throw new Error(`a line with ${fields.length} fields: ${line}`)
      const [release = '', identity = '', init = '', what = '', result = '', date = ''] = fields
      return {release, identity, init, what, result, date}
    })
}

export function formatRows(rows: readonly Row[]): string {
  return [COLUMNS, ...rows.map((row) => COLUMNS.map((column) => row[column]))]
    .map((fields) => `${fields.join('\t')}\n`)
    .join('')
}

/** Returns the rows with those of a new run in the place of the same environment's. */
export function replaceRows(rows: readonly Row[], fresh: readonly Row[]): Row[] {
  const isSame = (one: Row, other: Row) =>
    one.release === other.release &&
    one.identity === other.identity &&
    one.init === other.init &&
    one.what === other.what
  return [...rows.filter((row) => !fresh.some((other) => isSame(row, other))), ...fresh]
}

/** Returns the section of docs/compatibility.md: a table a release. */
export function renderServices(rows: readonly Row[]): string {
  const releases = unique(rows.map(({release}) => release))
  return releases
    .flatMap((release) => [
      '',
      `### ${release}`,
      '',
      ...tableOf(rows.filter((row) => row.release === release)),
    ])
    .join('\n')
    .trimStart()
}

function tableOf(rows: readonly Row[]): string[] {
  const columns = unique(rows.map(({init, identity}) => `${init}, ${identity}`)).sort()
  const dates = unique(rows.map(({date}) => date)).sort()
  // Rows of a later run are at the end.
  const whats = unique([WHOLE, ...SERVICE_PACKAGES.map(({name}) => name), ...rows.map(({what}) => what)])
  const lines = whats
    .filter((what) => rows.some((row) => row.what === what))
    .map((what) => [
      what,
      ...columns.map(
        (column) =>
          rows.find((row) => row.what === what && `${row.init}, ${row.identity}` === column)?.result ?? '',
      ),
    ])
  return [
    ...[['', ...columns], ['---', ...columns.map(() => '---')], ...lines].map(
      (cells) => `| ${cells.join(' | ')} |`,
    ),
    '',
    `Seen on ${dates.join(', ')}.`,
  ]
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)]
}
