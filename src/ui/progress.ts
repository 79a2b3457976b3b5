import type {ListrTask} from 'listr2'
import {escapeText} from './escape.js'
import {tolerateClosedStreams, writeError} from './output.js'

/** A step of a long command; `report` says how far it is, as often as it likes. */
export type Stage = {
  readonly title: string
  run(report: (line: string) => void): Promise<void>
}

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
  for (const stage of stages) {
    tell(`❯ ${stage.title}`)
    await stage.run(() => {})
    tell(`✔ ${stage.title}`)
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
    failure = {error}
    throw new Error('')
  }
  const tasks = stages.map(
    (stage): ListrTask => ({
      title: escapeText(stage.title),
      task: (_, task) => stage.run(throttle((line) => (task.output = escapeText(line)))).catch(hide),
    }),
  )
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
