import {displayWidth, truncateToWidth} from './display-width.js'
import {escapeText} from './escape.js'

export type Column<Row> = {
  readonly title: string
  readonly align?: 'left' | 'right'
  readonly show: (row: Row) => string
}

const GAP = '  '

/**
 * Rows under upper-case titles, two spaces between columns, no space at a line's end; no rows, no text.
 *
 * @param columns - Width of the terminal, whose lines are cut to it; undefined elsewhere, where all is kept.
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
