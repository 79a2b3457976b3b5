import {realpathSync} from 'node:fs'
import {formatBytes} from '../src/cli/format.js'
import {renderTable} from '../src/cli/table.js'
import {type Bench, type Invocation, InvocationFailedError, time} from './invocation.js'
import type {Contender, MeasureOptions} from './measure.js'
import {family, peakResidentBytes, programOf, residentBytes} from './process-family.js'

/** Peak memory of a job, sampled many times a second; bytes. */
export type PeakMemory = {
  readonly title: string
  readonly compared: string
  /** The target for the processes of envs, or for all processes of the job. */
  readonly bound: Bound
  readonly rows: readonly {
    readonly name: string
    /** Processes that run Node, with proportional shares: envs itself, without the decoder. */
    readonly ownPssBytes: number
    /** All processes of the job. */
    readonly pssBytes: number
    /** Largest resident size of one Node process, and of any process, as recorded by the kernel. */
    readonly ownLargestRssBytes: number
    readonly largestRssBytes: number
    readonly samples: number
  }[]
}

export type Bound = {readonly bytes: number; readonly holdsFor: 'own' | 'all'}

const LOOK_MS = 25

/**
 * Runs each contender once, untimed, because sampling costs time. A failing peer is left out: the timed run
 * has reported it.
 *
 * @throws {InvocationFailedError} If envs fails.
 */
export async function measurePeakMemory(
  contenders: readonly Contender[],
  {
    title,
    bound,
    bench,
    signal,
  }: Pick<PeakMemory, 'title' | 'bound'> & Pick<MeasureOptions, 'bench' | 'signal'>,
): Promise<PeakMemory> {
  const rows: PeakMemory['rows'][number][] = []
  for (const {name, side, prepare, tidy} of contenders) {
    signal.throwIfAborted()
    try {
      rows.push({name, ...(await watch(await prepare(), bench))})
    } catch (error) {
      if (side === 'ours' || !(error instanceof InvocationFailedError)) throw error
    } finally {
      await tidy?.()
    }
  }
  return {
    title,
    compared: `The most in memory at once, one run each, looked at every ${LOOK_MS} ms: of the programs of envs, and of all processes, decoders among them.`,
    bound,
    rows,
  }
}

export function renderPeakMemory({title, compared, bound, rows}: PeakMemory): string {
  return [
    title,
    compared,
    renderTable<PeakMemory['rows'][number]>(
      rows,
      [
        {title: 'what', show: ({name}) => name},
        {title: 'envs, pss', align: 'right', show: ({ownPssBytes}) => formatBytes(ownPssBytes)},
        {title: 'all, pss', align: 'right', show: ({pssBytes}) => formatBytes(pssBytes)},
        {
          title: 'largest of envs, rss',
          align: 'right',
          show: ({ownLargestRssBytes}) => formatBytes(ownLargestRssBytes),
        },
        {title: 'largest, rss', align: 'right', show: ({largestRssBytes}) => formatBytes(largestRssBytes)},
        {
          title: `${bound.holdsFor === 'own' ? 'envs' : 'all'} below ${formatBytes(bound.bytes)}`,
          show: ({ownPssBytes, pssBytes}) =>
            (bound.holdsFor === 'own' ? ownPssBytes : pssBytes) < bound.bytes ? 'yes' : 'no',
        },
      ],
      undefined,
    ),
  ].join('\n')
}

type Peaks = Omit<PeakMemory['rows'][number], 'name'>

async function watch(invocation: Invocation, bench: Bench): Promise<Peaks> {
  const node = realpathSync(process.execPath)
  const seen = new Set<number>()
  let peaks: Peaks = {ownPssBytes: 0, pssBytes: 0, ownLargestRssBytes: 0, largestRssBytes: 0, samples: 0}
  const look = (root: number) => {
    // A decoder whose parent has ended is still a part of the job.
    const pids = new Set([root, ...seen].flatMap(family))
    for (const pid of pids) seen.add(pid)
    const all = [...pids].map((pid) => ({
      isOwn: programOf(pid) === node,
      pss: residentBytes(pid, 'Pss'),
      peak: peakResidentBytes(pid),
    }))
    const own = all.filter(({isOwn}) => isOwn)
    peaks = {
      ownPssBytes: Math.max(peaks.ownPssBytes, sum(own.map(({pss}) => pss))),
      pssBytes: Math.max(peaks.pssBytes, sum(all.map(({pss}) => pss))),
      ownLargestRssBytes: Math.max(peaks.ownLargestRssBytes, ...own.map(({peak}) => peak)),
      largestRssBytes: Math.max(peaks.largestRssBytes, ...all.map(({peak}) => peak)),
      samples: peaks.samples + 1,
    }
  }
  let timer: NodeJS.Timeout | undefined
  try {
    await time(invocation, bench, (pid) => {
      timer = setInterval(look, LOOK_MS, pid)
    })
  } finally {
    clearInterval(timer)
  }
  return peaks
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
