import {takeLock} from '../host/flock.js'
import {anchorFiles} from './anchor-state.js'

/** Longer than the program of a session takes to come in; it holds the gate from before its first look at the guest's files. */
const WAIT_MS = 5000

/**
 * Does something while no session can begin: one that comes is held back until then, before it is in the guest.
 *
 * The lock is on the FIFO that every session has open, as templates/host/session.pl has it.
 *
 * @returns undefined when somebody was coming in all the time; nothing was done then.
 */
export async function behindClosedGate<T>(
  runFolder: string,
  work: () => Promise<T>,
): Promise<{readonly value: T} | undefined> {
  const gate = await takeLock(anchorFiles(runFolder).hold, {mode: 'exclusive', waitMs: WAIT_MS})
  if (gate === undefined) return undefined
  try {
    return {value: await work()}
  } finally {
    gate.release()
  }
}
