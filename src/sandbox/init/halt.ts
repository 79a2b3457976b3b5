import {setTimeout as sleep} from 'node:timers/promises'
import {processStartTime} from '../../host/machine/proc.js'
import type {Anchor} from '../anchor-state.js'

/** The C library's on every processor that envs knows; the kernel's is 32. @see signal(7) */
const SIGRTMIN = 34
/** Signals to pid 1. @see systemd(1) */
const HALT = SIGRTMIN + 3
const HALT_AT_ONCE = SIGRTMIN + 13
const POLL_MS = 20
/** systemd ignores the signal until it has set up its handlers. */
const REPEAT_MS = 1000
/** Time for a halt without a stop of the units; systemd itself kills what is left. */
const AT_ONCE_MS = 3000

/**
 * Asks the guest's init to stop all units and halt; after the deadline, to halt at once. Does not kill: the caller kills pid 1.
 *
 * @param options.isReady - Whether the init has reported that the boot is complete.
 * @param options.onDeadline - Called when not all units have stopped in time.
 * @returns Whether it has ended.
 */
export async function haltGuest(
  anchor: Anchor,
  {
    graceMs,
    isReady,
    onDeadline,
  }: {readonly graceMs: number; readonly isReady: () => boolean; readonly onDeadline: () => void},
): Promise<boolean> {
  const deadline = Date.now() + graceMs
  send(anchor, HALT)
  for (let sent = Date.now(); !isReady() && Date.now() < deadline && !hasEnded(anchor); ) {
    await sleep(POLL_MS)
    if (Date.now() - sent < REPEAT_MS) continue
    send(anchor, HALT)
    sent = Date.now()
  }
  if (await hasEndedBy(anchor, deadline)) return true
  onDeadline()
  if (graceMs === 0) return false
  send(anchor, HALT_AT_ONCE)
  return hasEndedBy(anchor, Date.now() + AT_ONCE_MS)
}

async function hasEndedBy(anchor: Anchor, deadline: number): Promise<boolean> {
  while (!hasEnded(anchor)) {
    if (Date.now() >= deadline) return false
    await sleep(POLL_MS)
  }
  return true
}

function hasEnded({pid, startTime}: Anchor): boolean {
  return processStartTime(pid) !== startTime
}

function send(anchor: Anchor, signal: number): void {
  if (hasEnded(anchor)) return
  try {
    process.kill(anchor.pid, signal)
  } catch {
    // The process has ended already.
  }
}
