import {COLUMNS, type Column, type Row} from './row.js'

const KEY = ['host', 'scene', 'account', 'engine'] as const
const HEADER: readonly string[] = [...KEY, ...COLUMNS]

/** Parses hosts/expected.tsv: a line of names, then a line a row. @throws {Error} With the line that is invalid. */
export function parseTable(text: string): Row[] {
  const [header, ...lines] = text.split('\n').filter((line) => line !== '')
  if (header !== HEADER.join('\t')) throw new Error(`The table must begin with the line ${HEADER.join(' ')}.`)
  return lines.map((line) => {
    const words = line.split('\t')
    if (words.length !== HEADER.length)
      throw new Error(`A line of the table has ${words.length} words instead of ${HEADER.length}: ${line}`)
    const [host = '', scene = '', account = '', engine = '', ...rest] = words
    const cells = Object.fromEntries(COLUMNS.map((column, index) => [column, rest[index] ?? '']))
    return {host, scene, account, engine, cells: cells as Record<Column, string>}
  })
}

export function printTable(rows: readonly Row[]): string {
  const lines = rows.map(({cells, ...row}) => [
    ...KEY.map((name) => row[name]),
    ...COLUMNS.map((column) => cells[column].replaceAll(/[\t\n]/g, ' ')),
  ])
  return [HEADER, ...lines].map((words) => `${words.join('\t')}\n`).join('')
}

export function keyOf({host, scene, account, engine}: Omit<Row, 'cells'>): string {
  return [host, scene, account, engine].join(' ')
}

export type Difference =
  | {
      readonly kind: 'cell'
      readonly row: string
      readonly column: Column
      readonly expected: string
      readonly seen: string
    }
  /** A row that the table lacks, or a trial that was planned and not made. */
  | {readonly kind: 'unexpected' | 'absent'; readonly row: string}

/** Compares what was seen with what is expected. @param planned - Keys of the trials that were to be made. */
export function compareRows(
  expected: readonly Row[],
  seen: readonly Row[],
  planned: readonly string[],
): Difference[] {
  const rows = new Map(expected.map((row) => [keyOf(row), row]))
  const found = new Set(seen.map(keyOf))
  return [
    ...seen.flatMap((row) => compareRow(rows.get(keyOf(row)), row)),
    ...planned.filter((key) => !found.has(key)).map((row) => ({kind: 'absent' as const, row})),
  ]
}

function compareRow(expected: Row | undefined, seen: Row): Difference[] {
  const row = keyOf(seen)
  if (expected === undefined) return [{kind: 'unexpected', row}]
  return COLUMNS.filter((column) => expected.cells[column] !== seen.cells[column]).map((column) => ({
    ...{kind: 'cell' as const, row, column},
    ...{expected: expected.cells[column], seen: seen.cells[column]},
  }))
}

/** Returns the table with rows that were seen in place of those of the same trials, in the order of `order`. */
export function updateRows(rows: readonly Row[], seen: readonly Row[], order: readonly string[]): Row[] {
  const merged = new Map([...rows, ...seen].map((row) => [keyOf(row), row]))
  return order.flatMap((key) => merged.get(key) ?? [])
}
