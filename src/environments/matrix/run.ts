import {availableParallelism} from 'node:os'
import {type CellContext, runCell} from './cell.js'
import type {Cell, MatrixResult} from './results.js'

export type MatrixOptions = Omit<CellContext, 'signal'> & {
  /** Aborted by the user. */
  readonly signal: AbortSignal
  /** Whether the first failure ends the others. */
  readonly failFast: boolean
  /** How many run at once. */
  readonly jobs: number
  /** Called once a cell has ended. */
  readonly onEnd: (cell: Cell) => void
}

/** As many at once as there are processors: more only wait for each other. */
export const USUAL_JOBS = availableParallelism()

/** Runs all cells, in their order, as many at once as there are jobs. @returns The outcomes, in the order of the cells. */
export async function runMatrix({
  wish,
  signal,
  failFast,
  jobs,
  onEnd,
  ...around
}: MatrixOptions): Promise<MatrixResult> {
  const failing = new AbortController()
  const either = AbortSignal.any([signal, failing.signal])
  const queue = [...wish.cells.entries()]
  const cells: Cell[] = []
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, wanted] = next
      const cell = await runCell(wanted, {...around, wish, signal: either})
      if (failFast && !hasPassed(cell)) failing.abort()
      onEnd(cell)
      cells[index] = cell
    }
  }
  await Promise.all(Array.from({length: jobs}, work))
  return {cells, passed: cells.every(hasPassed)}
}

/** Returns whether a cell counts as passed. */
export function hasPassed({outcome, mayFail}: Pick<Cell, 'outcome' | 'mayFail'>): boolean {
  return outcome === 'passed' || (mayFail && (outcome === 'failed' || outcome === 'timeout'))
}
