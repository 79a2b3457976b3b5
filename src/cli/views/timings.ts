import {formatBytes} from '../format.js'
import {formatRate, formatTook, type StageTiming} from '../progress.js'
import type {Column} from '../table.js'

/** Returns the stages in the order in which they began, and their total. Stages may run in parallel. */
export function timingRows(timings: readonly StageTiming[]): StageTiming[] {
  const rows = [...timings].sort((a, b) => a.startedAtMs - b.startedAtMs)
  const startedAtMs = Math.min(...rows.map((row) => row.startedAtMs))
  const endedAtMs = Math.max(...rows.map((row) => row.endedAtMs))
  return [...rows, {title: 'Total', startedAtMs, endedAtMs, bytes: undefined}]
}

export const TIMING_COLUMNS: readonly Column<StageTiming>[] = [
  {title: 'phase', show: ({title}) => title},
  {title: 'time', align: 'right', show: formatTook},
  {title: 'size', align: 'right', show: ({bytes}) => (bytes === undefined ? '-' : formatBytes(bytes))},
  {title: 'rate', align: 'right', show: (timing) => formatRate(timing) ?? '-'},
]
