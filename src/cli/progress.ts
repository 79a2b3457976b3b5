import type {ListrTask} from 'listr2'
import {escapeText, tolerateClosedStreams, writeError} from './output.js'

type Part<Event> = {
  readonly title: string
  /** Whether an event belongs to it; one that belongs to none is shown wherever the job is. */
  readonly has: (event: Event) => boolean
  /** Whether an event says that it is over, where that is known before the next part begins. */
  readonly isOver?: (event: Event) => boolean
}

/**
 * Stages of one job that tells how far it is by events. Each is over when the job tells of a later one, or is done; a part with
 * `isOver` goes on beside the next one until then. They may be run one after another, or beside each other.
 *
 * @param describe - An event in one line.
 */
export function stagesOf<Event>(
  parts: readonly Part<Event>[],
  job: (tell: (event: Event) => void) => Promise<void>,
  describe: (event: Event) => string,
): LeafStage[] {
  const states = parts.map((part) => ({part, line: '', report: (_: string) => {}, end: deferred()}))
  let isBegun = false
  let current = 0

  function tell(event: Event): void {
    const at = states.findIndex(({part}) => part.has(event))
    const state = states[at === -1 ? current : at]
    if (state === undefined) return
    state.line = describe(event)
    state.report(state.line)
    if (at === -1) return
    current = Math.max(current, state.part.isOver?.(event) ? at + 1 : beginOf(at))
    for (const {end} of states.slice(0, current)) end.resolve()
  }

  /** A part that goes on beside the one before it does not end it. */
  function beginOf(index: number): number {
    return parts[index - 1]?.isOver === undefined ? index : index - 1
  }

  function begin(): Promise<void> {
    isBegun = true
    const end = (settle: (end: Deferred) => void) => {
      for (const state of states) settle(state.end)
    }
    return job(tell).then(
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
  // The failure of a job is met by the stages that are run.
  promise.catch(() => {})
  return {promise, ...settle}
}

/** A step of a long command; `report` says how far it is, as often as it likes. */
export type LeafStage = {
  readonly title: string
  run(report: (line: string) => void): Promise<void>
}

/** Steps under a title of their own, which a live display alone shows. */
type StageGroup = {
  readonly title: string
  /** Asked for when those before are over; none at all is a step that is not needed. */
  readonly stages: () => readonly LeafStage[]
  /** How many of them a live display runs beside each other. */
  readonly concurrent: number
}

export type Stage = LeafStage | StageGroup

/** A live display, a line as each stage starts and ends, or nothing. */
export type ProgressMode = 'terminal' | 'lines' | 'silent'

/** Ten updates a second look live; more only cost time and scroll a recorded session. */
const UPDATE_EVERY_MS = 100

/** The display that standard error can show. */
export function chooseProgress({
  silent,
  environment,
}: {
  silent: boolean
  environment: Readonly<Record<string, string | undefined>>
}): ProgressMode {
  if (silent) return 'silent'
  // A terminal that does not know its width can't be drawn on.
  const isDrawable = process.stderr.isTTY && process.stderr.columns > 0
  const isLive = isDrawable && environment['TERM'] !== 'dumb' && !environment['CI']
  return isLive ? 'terminal' : 'lines'
}

/** Runs the stages in order on standard error; the first failure ends it and is thrown as it is. */
export async function runStages(stages: readonly Stage[], mode: ProgressMode): Promise<void> {
  if (mode === 'terminal') return showLive(stages)
  const tell = (line: string) => {
    if (mode === 'lines') writeError(`${escapeText(line)}\n`)
  }
  for (const stage of stages)
    for (const leaf of 'stages' in stage ? stage.stages() : [stage]) {
      tell(`❯ ${leaf.title}`)
      await leaf.run(() => {})
      tell(`✔ ${leaf.title}`)
    }
}

async function showLive(stages: readonly Stage[]): Promise<void> {
  tolerateClosedStreams()
  const {Listr, ListrLogger, ProcessOutput, DefaultRenderer} = await import('listr2')
  // listr2 asks standard output whether it is a terminal; ours writes to standard error and has asked that.
  class TerminalRenderer extends DefaultRenderer {
    static override nonTTY = true
  }
  let failure: {readonly error: unknown} | undefined
  // listr2 would print the message as it is, control characters and all, and before whoever catches it does.
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
    // Its handler would end the process with 127 before anything could tidy up.
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

/** Long enough to even out a server's bursts, short enough to follow a change. */
const WINDOW_MS = 5000
/** Before that, what is known of the pace is chance. */
const SOONEST_MS = 500
const SAMPLE_EVERY_MS = 100

/**
 * Measures how fast a count grows, over the last seconds.
 *
 * What was there before the first call is no progress, and neither is a count that began anew.
 *
 * @returns A function that takes the count and the time, and gives the pace as soon as it can be told.
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

/** Of work whose pieces take differently long: enough of them to tell the rest from, and long enough. */
const [SOONEST_SHARE, SOONEST_WORK_MS] = [0.1, 2000]

/**
 * Estimates how long the rest takes of what is counted in pieces, from all that were done since the first call.
 *
 * @returns A function that takes the counts and the time, and gives seconds as soon as they can be told.
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
