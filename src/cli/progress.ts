import type {ListrTask} from 'listr2'
import {formatBytes, formatDuration} from './format.js'
import {escapeText, tolerateClosedStreams, writeError} from './output.js'

type StagePart<Event> = {
  readonly title: string
  /** Whether an event belongs to the part; an event of no part is shown in the current one. */
  readonly has: (event: Event) => boolean
  /** Whether an event ends the part, if that is known before the next part begins. */
  readonly isOver?: (event: Event) => boolean
  /** The bytes that the part has processed. */
  readonly bytes?: (event: Event) => number | undefined
}

/**
 * Returns the stages of one job that reports events. A stage ends when the job reports a later one, or ends; a
 * part with `isOver` runs in parallel to the next one until then. The stages may run in order or in parallel.
 *
 * @param describe - Returns an event as one line.
 */
export function stagesOf<Event>(
  parts: readonly StagePart<Event>[],
  job: (report: (event: Event) => void) => Promise<void>,
  describe: (event: Event) => string,
): LeafStage[] {
  const states = parts.map((part) => {
    const figures: StageFigures = {startedAtMs: undefined, bytes: undefined}
    return {part, line: '', figures, report: ignoreReport, end: deferred()}
  })
  let isBegun = false
  let current = 0

  function handleEvent(event: Event): void {
    const at = states.findIndex(({part}) => part.has(event))
    const state = states[at === -1 ? current : at]
    if (state === undefined) return
    state.line = describe(event)
    const {startedAtMs = performance.now(), bytes} = state.figures
    state.figures = {startedAtMs, bytes: state.part.bytes?.(event) ?? bytes}
    state.report(state.line, state.figures)
    if (at === -1) return
    current = Math.max(current, state.part.isOver?.(event) ? at + 1 : indexToEndBefore(at))
    for (const {end} of states.slice(0, current)) end.resolve()
  }

  /** A part that runs in parallel to the previous one does not end it. */
  function indexToEndBefore(index: number): number {
    return parts[index - 1]?.isOver === undefined ? index : index - 1
  }

  function begin(): Promise<void> {
    isBegun = true
    const end = (settle: (end: Deferred) => void) => {
      for (const state of states) settle(state.end)
    }
    return job(handleEvent).then(
      () => end(({resolve}) => resolve()),
      (error: unknown) => end(({reject}) => reject(error)),
    )
  }

  return states.map((state) => ({
    title: state.part.title,
    run(report) {
      state.report = report
      report(state.line, state.figures)
      if (!isBegun) void begin()
      return state.end.promise
    },
  }))
}

type Deferred = {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

function deferred(): Deferred {
  let settle: Omit<Deferred, 'promise'> = {resolve() {}, reject() {}}
  const promise = new Promise<void>((resolve, reject) => {
    settle = {resolve, reject}
  })
  // The stages that run report the failure of the job.
  promise.catch(() => {})
  return {promise, ...settle}
}

/** Figures of a stage. A part of a job begins with its first event, not when the display comes to it. */
type StageFigures = {readonly startedAtMs: number | undefined; readonly bytes: number | undefined}

type StageReport = (line: string, figures?: StageFigures) => void

const ignoreReport: StageReport = () => {}

/** A step of a long command; `report` may be called with progress at any rate. */
export type LeafStage = {
  readonly title: string
  run(report: StageReport): Promise<void>
}

/** When a stage ran, by a monotonic clock, and the bytes that it processed. */
export type StageTiming = {
  readonly title: string
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly bytes: number | undefined
}

async function runLeaf({title, run}: LeafStage, report: (line: string) => void): Promise<StageTiming> {
  let figures: StageFigures = {startedAtMs: undefined, bytes: undefined}
  const begunAtMs = performance.now()
  await run((line, latest) => {
    figures = latest ?? figures
    report(line)
  })
  const {startedAtMs = begunAtMs, bytes} = figures
  return {title, startedAtMs, endedAtMs: performance.now(), bytes}
}

/** Returns the time of a stage: `0.4 s`, `12 s`. */
export function formatTook({startedAtMs, endedAtMs}: StageTiming): string {
  const ms = endedAtMs - startedAtMs
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : formatDuration(ms / 1000)
}

/** A shorter time gives no meaningful rate. */
const SHORTEST_RATED_MS = 500

/** Returns the average rate of a stage; undefined if it has none. */
export function formatRate({startedAtMs, endedAtMs, bytes}: StageTiming): string | undefined {
  const ms = endedAtMs - startedAtMs
  if (bytes === undefined || bytes === 0 || ms < SHORTEST_RATED_MS) return undefined
  return `${formatBytes((bytes / ms) * 1000)}/s`
}

/** Describes a stage that ended: `Download: 31 MB in 7.4 s, 4.2 MB/s`. */
function describeTiming(timing: StageTiming): string {
  const {title, startedAtMs, endedAtMs, bytes} = timing
  if (endedAtMs - startedAtMs < SHORTEST_RATED_MS) return title
  const took = formatTook(timing)
  const rate = formatRate(timing)
  if (bytes === undefined || rate === undefined) return `${title}: ${took}`
  return `${title}: ${formatBytes(bytes)} in ${took}, ${rate}`
}

/** Steps with a common title, which only a live display shows. */
type StageGroup = {
  readonly title: string
  /** Called when the previous stage ended; an empty list skips the group. */
  readonly stages: () => readonly LeafStage[]
  /** Number of steps that a live display runs in parallel. */
  readonly concurrent: number
}

export type Stage = LeafStage | StageGroup

/** A live display, a line as each stage starts and ends, or nothing. */
export type ProgressMode = 'terminal' | 'lines' | 'silent'

/** Interval of updates: more than ten per second only cost time and scroll a recording. */
const UPDATE_EVERY_MS = 100

/** Returns the display that standard error supports. */
export function chooseProgress({
  silent,
  environment,
}: {
  silent: boolean
  environment: Readonly<Record<string, string | undefined>>
}): ProgressMode {
  if (silent) return 'silent'
  // A live display needs a terminal with a known width.
  const isDrawable = process.stderr.isTTY && process.stderr.columns > 0
  const isLive = isDrawable && environment['TERM'] !== 'dumb' && !environment['CI']
  return isLive ? 'terminal' : 'lines'
}

/** Runs the stages in order, with a display on standard error; rethrows the first failure. */
export async function runStages(stages: readonly Stage[], mode: ProgressMode): Promise<StageTiming[]> {
  const timings: StageTiming[] = []
  if (mode === 'terminal') await showLive(stages, timings)
  else await showLines(stages, timings, mode)
  return timings
}

async function showLines(
  stages: readonly Stage[],
  timings: StageTiming[],
  mode: 'lines' | 'silent',
): Promise<void> {
  const report = (line: string) => {
    if (mode === 'lines') writeError(`${escapeText(line)}\n`)
  }
  for (const stage of stages)
    for (const leaf of 'stages' in stage ? stage.stages() : [stage]) {
      report(`❯ ${leaf.title}`)
      const timing = await runLeaf(leaf, () => {})
      timings.push(timing)
      report(`✔ ${describeTiming(timing)}`)
    }
}

async function showLive(stages: readonly Stage[], timings: StageTiming[]): Promise<void> {
  tolerateClosedStreams()
  const {Listr, ListrLogger, ProcessOutput, DefaultRenderer} = await import('listr2')
  // listr2 checks whether standard output is a terminal; envs writes to standard error, and checked that.
  class TerminalRenderer extends DefaultRenderer {
    static override nonTTY = true
  }
  let failure: {readonly error: unknown} | undefined
  // Hides the message: listr2 would print it unescaped, and before the command reports it.
  const hide = (error: unknown): never => {
    failure ??= {error}
    throw new Error('')
  }
  const leafTask = (leaf: LeafStage): ListrTask => ({
    title: escapeText(leaf.title),
    async task(_, task) {
      const show = throttle((line) => (task.output = escapeText(line)))
      const timing = await runLeaf(leaf, show).catch(hide)
      timings.push(timing)
      task.title = escapeText(describeTiming(timing))
    },
  })
  const groupTask = ({title, stages, concurrent}: StageGroup): ListrTask => ({
    title,
    task(_, task) {
      const tasks = stages().map(leafTask)
      return tasks.length === 0 ? task.skip() : task.newListr(tasks, {concurrent})
    },
  })
  const tasks = stages.map((stage) => ('stages' in stage ? groupTask(stage) : leafTask(stage)))
  const logger = new ListrLogger({processOutput: new ProcessOutput(process.stderr, process.stderr)})
  const list = new Listr(tasks, {
    renderer: TerminalRenderer,
    rendererOptions: {logger},
    // The handler of listr2 would end the process with 127, without cleanup.
    registerSignalListeners: false,
  })
  await list.run().catch((error: unknown) => {
    throw failure === undefined ? error : failure.error
  })
}

function throttle(show: (line: string) => void): (line: string) => void {
  let shownAt = Number.NEGATIVE_INFINITY
  return (line) => {
    const now = performance.now()
    if (now - shownAt < UPDATE_EVERY_MS) return
    shownAt = now
    show(line)
  }
}

type Sample = {readonly atMs: number; readonly bytes: number}

/** Window of the measurement: evens out bursts, and follows changes. */
const WINDOW_MS = 5000
/** Minimum duration of a measurement. */
const SOONEST_MS = 500
const SAMPLE_EVERY_MS = 100

/**
 * Measures the rate of a count over the last seconds.
 *
 * The count of the first call is not progress, and a decrease restarts the measurement.
 *
 * @returns A function that takes the count and the time, and returns the rate once it is known.
 */
export function measurePace(): (bytes: number, nowMs: number) => number | undefined {
  let samples: Sample[] = []
  return (bytes, nowMs) => {
    const last = samples.at(-1)
    if (last === undefined || bytes < last.bytes) samples = [{atMs: nowMs, bytes}]
    else if (nowMs - last.atMs >= SAMPLE_EVERY_MS) samples.push({atMs: nowMs, bytes})
    while (samples.length > 2 && nowMs - (samples[1]?.atMs ?? nowMs) > WINDOW_MS) samples.shift()
    const first = samples[0]
    if (first === undefined || nowMs - first.atMs < SOONEST_MS) return undefined
    return ((bytes - first.bytes) / (nowMs - first.atMs)) * 1000
  }
}

/** Minimum share and duration of work with uneven steps before an estimate. */
const [SOONEST_SHARE, SOONEST_WORK_MS] = [0.1, 2000]

/**
 * Estimates the remaining time of counted steps from all steps since the first call.
 *
 * @returns A function that takes the counts and the time, and returns seconds once they are known.
 */
export function measureRest(): (count: number, totalCount: number, nowMs: number) => number | undefined {
  let first: {readonly count: number; readonly atMs: number} | undefined
  return (count, totalCount, nowMs) => {
    first ??= {count, atMs: nowMs}
    const [done, tookMs] = [count - first.count, nowMs - first.atMs]
    const isSteady = tookMs >= SOONEST_WORK_MS && done >= (totalCount - first.count) * SOONEST_SHARE
    if (!isSteady || done === 0 || count >= totalCount) return undefined
    return ((tookMs / done) * (totalCount - count)) / 1000
  }
}
