import type {ListrTask} from 'listr2'
import {escapeText, tolerateClosedStreams, writeError} from './output.js'

type StagePart<Event> = {
  readonly title: string
  /** Whether an event belongs to the part; an event of no part is shown in the current one. */
  readonly has: (event: Event) => boolean
  /** Whether an event ends the part, if that is known before the next part begins. */
  readonly isOver?: (event: Event) => boolean
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
  const states = parts.map((part) => ({part, line: '', report: (_: string) => {}, end: deferred()}))
  let isBegun = false
  let current = 0

  function handleEvent(event: Event): void {
    const at = states.findIndex(({part}) => part.has(event))
    const state = states[at === -1 ? current : at]
    if (state === undefined) return
    state.line = describe(event)
    state.report(state.line)
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
      report(state.line)
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

/** A step of a long command; `report` may be called with progress at any rate. */
export type LeafStage = {
  readonly title: string
  run(report: (line: string) => void): Promise<void>
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
export async function runStages(stages: readonly Stage[], mode: ProgressMode): Promise<void> {
  if (mode === 'terminal') return showLive(stages)
  const report = (line: string) => {
    if (mode === 'lines') writeError(`${escapeText(line)}\n`)
  }
  for (const stage of stages)
    for (const leaf of 'stages' in stage ? stage.stages() : [stage]) {
      report(`❯ ${leaf.title}`)
      await leaf.run(() => {})
      report(`✔ ${leaf.title}`)
    }
}

async function showLive(stages: readonly Stage[]): Promise<void> {
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
  const leafTask = ({title, run}: LeafStage): ListrTask => ({
    title: escapeText(title),
    task: (_, task) => run(throttle((line) => (task.output = escapeText(line)))).catch(hide),
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
