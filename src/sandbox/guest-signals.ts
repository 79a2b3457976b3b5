import type {DebArchitecture} from '../host/architecture.js'
import {ioctlKind, systemCalls} from '../host/system-calls.js'
import type {Anchor} from './anchor-state.js'

/** What sends signals from within an environment's pid namespace. */
export type SignalSender = {
  /** Words that start templates/host/signal-all.pl. */
  readonly launcher: readonly string[]
  readonly architecture: DebArchitecture
}

/** A signal for all processes of the environment, its first one apart, or for the one with this id in the guest. */
export type GuestSignal = {readonly name: 'CONT' | 'HUP' | 'STOP' | 'TERM'; readonly pid?: number}

/** The argument list that sends these one after another, and CONT to all after that. */
export function signalCommand(
  sender: SignalSender,
  anchor: Anchor,
  signals: readonly GuestSignal[],
): string[] {
  const words = signals.map(({name, pid}) => (pid === undefined ? name : `${name}:${pid}`))
  return [...senderWords(sender, anchor), ...words]
}

/** The argument list of what stops all processes for as long as its input lasts, and takes the orders of freezer.ts. */
export function freezeCommand(sender: SignalSender, anchor: Anchor): string[] {
  return [...senderWords(sender, anchor), 'freeze']
}

function senderWords({launcher, architecture}: SignalSender, anchor: Anchor): string[] {
  const {prctl, setns, wait4} = systemCalls(architecture)
  return [...launcher, String(anchor.pid), [prctl, setns, wait4, ioctlKind(architecture)].join(',')]
}
