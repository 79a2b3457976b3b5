import type {Cell, MatrixResult} from '../../environments/matrix/results.js'
import {hasPassed} from '../../environments/matrix/run.js'
import type {Column} from '../table.js'

export const MATRIX_COLUMNS: readonly Column<Cell>[] = [
  {title: 'IMAGE', show: ({image}) => image},
  {title: 'ARCHITECTURE', show: ({architecture}) => architecture},
  {title: 'RESULT', show: describeOutcome},
  {title: 'TIME', show: ({seconds}) => `${seconds} s`},
]

/** Describes how a cell ended: `failed (2), which may be`. */
export function describeOutcome({outcome, status, mayFail, message}: Cell): string {
  const detail = outcome === 'failed' && status !== null ? ` (${status})` : ''
  const reason = message === null ? '' : `: ${message}`
  const allowed = mayFail && outcome !== 'passed' ? ', allowed' : ''
  return `${outcome}${detail}${reason}${allowed}`
}

/** Returns the workflow commands by which GitHub Actions marks cells that did not pass. */
export function githubLines({cells}: MatrixResult): string[] {
  const escaped = (text: string) =>
    text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
  return cells.flatMap((cell) => {
    if (cell.outcome === 'passed') return []
    const kind = hasPassed(cell) ? 'warning' : 'error'
    const title = escaped(`${cell.image} ${cell.architecture}`).replaceAll(',', '%2C').replaceAll(':', '%3A')
    return [`::${kind} title=${title}::${escaped(describeOutcome(cell))}`]
  })
}
