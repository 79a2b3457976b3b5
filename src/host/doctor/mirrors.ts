import {EnvsError} from '../../errors.js'
import type {Host} from '../host.js'
import {NetworkError} from '../http/errors.js'
import {failureOfConnection} from '../http/failure.js'
import {redactUrl} from '../http/redact-url.js'
import {ConnectionError, get, SILENT} from '../http/request.js'
import {type Check, pass, warn} from './check.js'

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

/** For the user, a server error and an unreachable server are the same. */
export function judgeMirrors(mirrors: readonly MirrorFacts[]): Check {
  const isThere = ({answer}: MirrorFacts) => typeof answer === 'number' && answer < 500
  const lost = mirrors.filter((mirror) => !isThere(mirror))
  const proxies = [...new Set(mirrors.flatMap(({viaProxy}) => viaProxy ?? []))]
  const by = proxies.length === 0 ? '' : ` (by the proxy ${proxies.join(', ')})`
  const reached = `${mirrors.length - lost.length} of ${mirrors.length} servers answer${by}`
  if (lost.length === 0) return pass('mirrors', `${reached}.`)
  const isAll = lost.length === mirrors.length
  return warn('mirrors', {
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
