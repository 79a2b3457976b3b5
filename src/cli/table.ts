import {eastAsianWidth} from 'get-east-asian-width'
import {escapeText} from './output.js'

export type Column<Row> = {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Columns of the highest rank are left out first where a terminal is too narrow; those without one stay. */
  readonly rank?: number
  /** As the last column, it is cut instead of wrapped. */
  readonly isCut?: boolean
  readonly show: (row: Row) => string
}

const GAP = '  '

/** The narrowest last column that is wrapped; a narrower one is cut. */
const LEAST_WRAPPED = 12

/**
 * Returns rows under upper-case titles, with two spaces between columns and none at line ends; empty without rows.
 *
 * @param columns - Width of the terminal; undefined: no limit. Columns with a rank are left out, then the last one is wrapped
 * between words, then lines are cut.
 */
export function renderTable<Row>(
  rows: readonly Row[],
  layout: readonly Column<Row>[],
  columns: number | undefined,
): string {
  if (rows.length === 0) return ''
  const cells = [
    layout.map(({title}) => title.toUpperCase()),
    ...rows.map((row) => layout.map(({show}) => escapeText(show(row)))),
  ]
  const widths = layout.map((_, index) => Math.max(...cells.map((line) => displayWidth(line[index] ?? ''))))
  const shown = fittingColumns(layout, widths, columns)
  const before = widthOf(shown.slice(0, -1), widths) + (shown.length > 1 ? GAP.length : 0)
  const room = columns === undefined ? undefined : columns - before
  return cells
    .flatMap((line) => {
      const last = line[shown.at(-1) ?? 0] ?? ''
      const wraps = room !== undefined && room >= LEAST_WRAPPED && layout[shown.at(-1) ?? 0]?.isCut !== true
      const pieces = wraps ? wrapAtWords(last, room) : [last]
      return pieces.map((piece, row) =>
        shown
          .map((index) => {
            const isLast = index === shown.at(-1)
            const text = isLast ? piece : row === 0 ? (line[index] ?? '') : ''
            return pad(text, widths[index] ?? 0, layout[index]?.align)
          })
          .join(GAP)
          .trimEnd(),
      )
    })
    .map((line) => (columns === undefined ? line : truncateToWidth(line, columns)))
    .join('\n')
}

/** Returns the indices of the columns to show. */
function fittingColumns<Row>(
  layout: readonly Column<Row>[],
  widths: readonly number[],
  columns: number | undefined,
): number[] {
  const indices = [...layout.keys()]
  if (columns === undefined) return indices
  const dropped = indices
    .filter((index) => layout[index]?.rank !== undefined)
    .sort((a, b) => (layout[b]?.rank ?? 0) - (layout[a]?.rank ?? 0))
  let shown = indices
  for (const drop of dropped) {
    if (widthOf(shown, widths) <= columns) break
    shown = shown.filter((index) => index !== drop)
  }
  return shown
}

function widthOf(indices: readonly number[], widths: readonly number[]): number {
  const gaps = Math.max(0, indices.length - 1) * GAP.length
  return indices.reduce((sum, index) => sum + (widths[index] ?? 0), gaps)
}

/** Breaks text between words, for lines of a width; a longer word has a line of its own. */
function wrapAtWords(text: string, width: number): string[] {
  if (displayWidth(text) <= width) return [text]
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && displayWidth(longer) > width) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line]
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
