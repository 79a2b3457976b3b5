import type {ChildProcess} from 'node:child_process'

/** Sent to one process by another, so meant for the guest's command. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const

/** A terminal sends these to every process in its foreground, the guest's command among them. */
const FROM_A_TERMINAL = ['SIGINT', 'SIGQUIT'] as const

/**
 * Passes signals on to a session and keeps this process alive under Ctrl-C, until the returned function is called.
 *
 * @param options.interrupts - Whether an interrupt must be passed on too, since no terminal brings it to the guest.
 */
export function forwardSignals(
  child: Pick<ChildProcess, 'kill'>,
  {interrupts}: {interrupts: boolean},
): () => void {
  const forward = (signal: NodeJS.Signals) => child.kill(signal)
  const onInterrupt = interrupts ? forward : () => {}
  for (const signal of FORWARDED) process.on(signal, forward)
  for (const signal of FROM_A_TERMINAL) process.on(signal, onInterrupt)
  return () => {
    for (const signal of FORWARDED) process.off(signal, forward)
    for (const signal of FROM_A_TERMINAL) process.off(signal, onInterrupt)
  }
}
