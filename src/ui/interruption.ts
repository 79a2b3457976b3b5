import {type EndingSignal, InterruptedError} from './errors.js'

const ENDING_SIGNALS: readonly EndingSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

export type Interruption = {
  /** Aborted, with an InterruptedError as its reason, by the first signal that would end the process. */
  readonly signal: AbortSignal
  /** Gives the signals their default action again. */
  release(): void
}

/** Turns Ctrl-C and its like into an abort; a second one ends the process at once, as before. */
export function catchInterruption(): Interruption {
  const controller = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      release()
      process.kill(process.pid, signal)
      return
    }
    // Still listening: the package that restores the cursor ends the process when nobody else listens.
    const ending = ENDING_SIGNALS.find((name) => name === signal)
    if (ending !== undefined) controller.abort(new InterruptedError(ending))
  }
  const release = () => {
    for (const name of ENDING_SIGNALS) process.off(name, onSignal)
  }
  for (const name of ENDING_SIGNALS) process.on(name, onSignal)
  return {signal: controller.signal, release}
}
