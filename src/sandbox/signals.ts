import type {ChildProcess} from 'node:child_process'
import {isatty} from 'node:tty'

/** Sent to one process by another, so meant for the guest's command. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'] as const

/** A terminal sends these to every process in its foreground, the guest's command among them. */
const FROM_A_TERMINAL = ['SIGINT', 'SIGQUIT'] as const

/**
 * Passes signals on to a session and keeps this process alive under Ctrl-C, until the returned function is called.
 *
 * @param options.interrupts - Whether those of a terminal must be passed on too, since it does not bring them to the guest.
 */
export function forwardSignals(
  child: Pick<ChildProcess, 'kill'>,
  {interrupts}: {interrupts: boolean},
): () => void {
  const forward = (signal: NodeJS.Signals) => child.kill(signal)
  const onInterrupt = interrupts ? forward : () => {}
  const handlers: readonly (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
    ...FORWARDED.map((signal) => [signal, forward] as const),
    ...FROM_A_TERMINAL.map((signal) => [signal, onInterrupt] as const),
    // A terminal that is standard input stops nobody by itself: what relays it stops this process with all of the job.
    ...(interrupts && !isatty(0) ? [['SIGTSTP', stopBoth] as const] : []),
  ]
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }

  function stopBoth(signal: NodeJS.Signals): void {
    forward(signal)
    process.kill(process.pid, 'SIGSTOP')
  }
}
