import {type Check, pass, warn} from './check.js'
import type {MirrorFacts} from './mirrors.js'

/** Certificates and signed listings tolerate less. */
const MOST_WRONG_MS = 5 * 60 * 1000

/** Clocks without a battery start in 1970. */
const EARLIEST_MS = Date.UTC(2024, 0)

/** Facts about the time. */
export type ClockFacts = {
  readonly timeMs: number
  readonly servers: readonly Pick<MirrorFacts, 'serverTimeMs' | 'timeMs'>[]
}

export function judgeClock({timeMs, servers}: ClockFacts): Check {
  const offsets = servers
    .flatMap((server) => (server.serverTimeMs === undefined ? [] : server.timeMs - server.serverTimeMs))
    .sort((a, b) => a - b)
  const time = new Date(timeMs).toISOString()
  // The median of several, so that one server with a wrong clock has no effect.
  const offset = offsets[Math.floor(offsets.length / 2)]
  if (offset !== undefined && Math.abs(offset) > MOST_WRONG_MS) {
    const minutes = Math.round(Math.abs(offset) / 60_000)
    return wrong(
      `The clock says ${time}, ${minutes} minutes ${offset < 0 ? 'before' : 'after'} the time of servers.`,
    )
  }
  if (timeMs < EARLIEST_MS)
    return wrong(`The clock says ${time}, before the release of this version of envs.`)
  const seen = offset === undefined ? 'no server answered for a comparison' : 'as on servers'
  return pass('clock', `${time}, ${seen}.`)
}

function wrong(evidence: string): Check {
  return warn('clock', {
    evidence,
    cost: 'Signed listings and certificates are refused as expired or not yet valid.',
    remedy: 'Ask an administrator to set the clock.',
    request: {steps: ['timedatectl set-ntp true'], opens: 'Nothing.'},
  })
}
