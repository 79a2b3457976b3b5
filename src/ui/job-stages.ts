import type {LeafStage} from './progress.js'

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
