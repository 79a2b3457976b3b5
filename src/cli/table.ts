import {eastAsianWidth} from 'get-east-asian-width'
import {escapeText} from './output.js'

export type Column<Row> = {
  readonly title: string
  readonly align?: 'left' | 'right'
  readonly show: (row: Row) => string
}

const GAP = '  '

/**
 * Returns rows under upper-case titles, with two spaces between columns and none at line ends; empty without rows.
 *
 * @param columns - Width of the terminal, to which lines are cut; undefined: lines are not cut.
 */
export function renderTable<Row>(
  rows: readonly Row[],
  layout: readonly Column<Row>[],
  columns: number | undefined,
): string {
  if (rows.length === 0) return ''
  const titles = layout.map(({title}) => title.toUpperCase())
  const lines = [titles, ...rows.map((row) => layout.map(({show}) => escapeText(show(row))))]
  const widths = layout.map((_, index) => Math.max(...lines.map((cells) => displayWidth(cells[index] ?? ''))))
  return lines
    .map((cells) => cells.map((cell, index) => pad(cell, widths[index] ?? 0, layout[index]?.align)).join(GAP))
    .map((line) => line.trimEnd())
    .map((line) => (columns === undefined ? line : truncateToWidth(line, columns)))
    .join('\n')
}

function pad(cell: string, width: number, align: 'left' | 'right' = 'left'): string {
  const room = ' '.repeat(Math.max(0, width - displayWidth(cell)))
  return align === 'right' ? room + cell : cell + room
}

/** Text that needs no Unicode tables, which take longer to initialize than a command to run. */
const ASCII = /^[\x20-\x7e]*$/

/** Selects emoji presentation, which is two columns wide. */
const EMOJI_SELECTOR = '\ufe0f'

/** Returns the columns of `text` on a terminal, including combining marks and joined emoji. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length
  let columns = 0
  for (const {segment} of graphemesOf(text)) columns += graphemeWidth(segment)
  return columns
}

/** Returns the longest start of `text` that fits `columns`, with an ellipsis if it is cut. */
export function truncateToWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let kept = ''
  let room = columns - 1
  for (const {segment} of graphemesOf(text)) {
    room -= graphemeWidth(segment)
    if (room < 0) break
    kept += segment
  }
  return columns < 1 ? '' : `${kept}…`
}

function graphemeWidth(segment: string): number {
  if (/^[\p{Mn}\p{Me}]/u.test(segment)) return 0
  return segment.includes(EMOJI_SELECTOR) ? 2 : eastAsianWidth(segment.codePointAt(0) ?? 0)
}

/** Returns labels and values as lines; a field without a value is left out. */
export function renderFields(
  fields: readonly (readonly [label: string, value: string | undefined])[],
): string {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined)
  const width = Math.max(0, ...shown.map(([label]) => displayWidth(label)))
  return shown.map(([label, value]) => `${label.padEnd(width)}  ${escapeText(value)}`).join('\n')
}

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', {granularity: 'grapheme'})
  return segmenter.segment(text)
}

let segmenter: Intl.Segmenter | undefined
