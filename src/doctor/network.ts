import {EnvsError} from '../errors.js'
import {type Check, pass, warn} from '../host/check.js'
import type {Host} from '../host/host.js'
import {ConnectionError, get, redactUrl, SILENT} from '../host/http/client.js'
import {NetworkError} from '../host/http/errors.js'
import {malformedProxies} from '../host/http/proxy.js'
import {failureOfConnection} from '../host/http/retry.js'
import {mayPing, type NetworkLimits, readNetworkLimits} from '../host/machine/network-limits.js'
import {settingSteps} from './trial.js'

/** Certificates and signed listings tolerate less. */
const MOST_WRONG_MS = 5 * 60 * 1000

/** Clocks without a battery start in 1970. */
const EARLIEST_MS = Date.UTC(2024, 0)

/** Facts about the time. */
export type ClockFacts = {
  readonly timeMs: number
  readonly servers: readonly Pick<MirrorFacts, 'serverTimeMs' | 'timeMs'>[]
}

const CLOCK = {id: 'clock', title: 'Clock'} as const

export function judgeClock({timeMs, servers}: ClockFacts): Check<'clock'> {
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
  return pass(CLOCK, `${time}, ${seen}.`)
}

function wrong(evidence: string): Check<'clock'> {
  return warn(CLOCK, {
    evidence,
    cost: 'Signed listings and certificates are refused as expired or not yet valid.',
    remedy: 'Ask an administrator to set the clock.',
    request: {steps: ['timedatectl set-ntp true'], opens: 'Nothing.'},
  })
}

const GUEST_NETWORK = {id: 'network', title: 'Ports and ping'} as const

export function checkGuestNetwork({gid}: Pick<Host, 'gid'>): Check<'network'> {
  return judgeGuestNetwork({gid, limits: readNetworkLimits()})
}

export function judgeGuestNetwork({gid, limits}: {gid: number; limits: NetworkLimits}): Check<'network'> {
  const {pingGroups, firstPort} = limits
  const ports = `servers in environments may use the ports from ${firstPort} on`
  if (mayPing(limits, gid)) return pass(GUEST_NETWORK, `ping works, ${ports}.`)
  return warn(GUEST_NETWORK, {
    evidence: `net.ipv4.ping_group_range is ${pingGroups.join(' ')}; ${ports}.`,
    cost: 'ping does not work in environments.',
    remedy: 'Ask an administrator to let all groups send pings.',
    request: {
      steps: settingSteps('net.ipv4.ping_group_range', '0 2147483647'),
      opens: 'All users can send ICMP echo requests, as ping does with its own rights.',
    },
  })
}

const PROXIES = {id: 'proxies', title: 'Proxies'} as const

/** Judges the variables that name proxies, also those that no server of the mirrors is asked by. */
export function checkProxies({environment}: Pick<Host, 'environment'>): Check<'proxies'> {
  const malformed = malformedProxies(environment)
  if (malformed.length === 0) return pass(PROXIES, 'Each variable that names a proxy is empty or a URL.')
  return warn(PROXIES, {
    // The values may hold a password.
    evidence: `Not the URL of a proxy: the value of ${malformed.join(', ')}.`,
    cost: 'envs downloads nothing that needs the proxy, and programs in environments get the same variables.',
    remedy: `Set it to a URL such as http://proxy.example:3128, or unset it: unset ${malformed.join(' ')}`,
  })
}

/** Time limit for a server; the doctor must not wait for an unreachable one. */
const TIMEOUT_MS = 5000

/** The result of asking one server. */
export type MirrorFacts = {
  /** Without a password. */
  readonly url: string
  /** Host of the proxy. */
  readonly viaProxy: string | undefined
  /** HTTP status, or the reason for no answer. */
  readonly answer: number | string
  /** The server's time, in milliseconds since 1970. */
  readonly serverTimeMs: number | undefined
  /** Local time at the answer, likewise. */
  readonly timeMs: number
}

/** Requests the page of each server's folder. @param urls - One for each server. */
export function observeMirrors(
  {environment, now}: Pick<Host, 'environment' | 'now'>,
  urls: readonly string[],
): Promise<MirrorFacts[]> {
  return Promise.all(urls.map((url) => ask({environment, now}, new URL(`${url}/`))))
}

async function ask({environment, now}: Pick<Host, 'environment' | 'now'>, url: URL): Promise<MirrorFacts> {
  const shown = redactUrl(url)
  try {
    const answer = await get(url, {
      headers: {},
      environment,
      signal: undefined,
      headMs: TIMEOUT_MS,
      idleMs: TIMEOUT_MS,
    })
    answer.close()
    const time = Date.parse(answer.headers.date ?? '')
    return {
      ...{url: shown, viaProxy: answer.viaProxy, answer: answer.status, timeMs: now().getTime()},
      serverTimeMs: Number.isNaN(time) ? undefined : time,
    }
  } catch (error) {
    return {
      url: shown,
      viaProxy: undefined,
      answer: reasonOf(error),
      serverTimeMs: undefined,
      timeMs: now().getTime(),
    }
  }
}

const MIRRORS = {id: 'mirrors', title: 'Mirrors'} as const

/** For the user, a server error and an unreachable server are the same. */
export function judgeMirrors(mirrors: readonly MirrorFacts[]): Check<'mirrors'> {
  const isThere = ({answer}: MirrorFacts) => typeof answer === 'number' && answer < 500
  const lost = mirrors.filter((mirror) => !isThere(mirror))
  const proxies = [...new Set(mirrors.flatMap(({viaProxy}) => viaProxy ?? []))]
  const by = proxies.length === 0 ? '' : ` (by the proxy ${proxies.join(', ')})`
  const reached = `${mirrors.length - lost.length} of ${mirrors.length} servers answer${by}`
  if (lost.length === 0) return pass(MIRRORS, `${reached}.`)
  const isAll = lost.length === mirrors.length
  return warn(MIRRORS, {
    evidence: `${reached}; ${lost.map(({url, answer}) => `${url}: ${answer}`).join(', ')}.`,
    cost: isAll
      ? 'No image or package can be downloaded. Existing environments work.'
      : 'Images and packages of these servers cannot be downloaded.',
    remedy: isAll
      ? 'Connect this host, or set http_proxy and https_proxy, or name a mirror within reach: envs config set mirrors.NAME URL'
      : 'Wait, or name a mirror within reach: envs config set mirrors.NAME URL',
  })
}

function reasonOf(error: unknown): string {
  if (error instanceof NetworkError) return error.reason
  if (error instanceof EnvsError) return error.message
  if (!(error instanceof ConnectionError)) throw error
  if (error.code === SILENT) return `no answer within ${TIMEOUT_MS / 1000} s`
  return failureOfConnection(error, {reached: false}).reason
}
