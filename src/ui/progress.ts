import type {ListrTask} from 'listr2'
import {escapeText} from './escape.js'
import {tolerateClosedStreams, writeError} from './output.js'

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
