import type {DebArchitecture} from '../host/architecture.js'
import {systemCalls} from '../host/system-calls.js'
import type {Anchor} from './anchor-state.js'

/** What sends signals from within an environment's pid namespace. */
export type SignalSender = {
  /** Words that start templates/host/signal-all.pl. */
  readonly launcher: readonly string[]
  readonly architecture: DebArchitecture
}

/** A signal for all processes of the environment, its first one apart, or for the one with this id in the guest. */
export type GuestSignal = {readonly name: 'CONT' | 'HUP' | 'STOP' | 'TERM'; readonly pid?: number}

/** The argument list that sends these one after another, and CONT when its input ends. */
export function signalCommand(
  {launcher, architecture}: SignalSender,
  anchor: Anchor,
  signals: readonly GuestSignal[],
): string[] {
  const {prctl, setns} = systemCalls(architecture)
  return [
    ...[...launcher, String(anchor.pid), [prctl, setns].join(',')],
    ...signals.map(({name, pid}) => (pid === undefined ? name : `${name}:${pid}`)),
  ]
}
