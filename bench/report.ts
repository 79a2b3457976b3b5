import {renderTable} from '../src/cli/table.js'
import type {Result, Row} from './measure.js'

/** Renders one group as a table with the notes that it needs. */
export function renderResult({
  title,
  compared,
  reference,
  rounds,
  isWarm,
  rows,
  absent,
  othersCores,
}: Result): string {
  const known = rows.some(({name}) => name === reference)
  const table = renderTable<Row>(
    rows,
    [
      {title: 'what', show: ({name}) => name},
      {title: 'median ms', align: 'right', show: ({medianMs}) => milliseconds(medianMs)},
      {title: 'min', align: 'right', show: ({minMs}) => milliseconds(minMs)},
      {title: 'p90', align: 'right', show: ({p90Ms}) => milliseconds(p90Ms)},
      {
        title: known ? `x ${reference}` : 'ratio',
        align: 'right',
        show: ({ratio}) => ratio?.toFixed(2) ?? '-',
      },
    ],
    undefined,
  )
  const {median, worst} = othersCores
  return [
    `${title}: ${rounds} ${rounds === 1 ? 'round' : 'rounds'}${isWarm ? '' : ', the first one cold'}, others used ${median.toFixed(2)} cores (worst round ${worst.toFixed(2)})`,
    compared,
    table,
    ...absent.map(({name, reason}) => `left out: ${name} (${reason})`),
  ].join('\n')
}

function milliseconds(value: number): string {
  return value < 100 ? value.toFixed(1) : value.toFixed(0)
}
