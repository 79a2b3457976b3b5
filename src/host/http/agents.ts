import {Agent as HttpAgent} from 'node:http'
import {Agent as HttpsAgent} from 'node:https'
import {NetworkError} from './errors.js'

/** What got takes: the agent of the scheme that is asked for. */
export type Agents = {http?: HttpAgent; https?: HttpsAgent}

/**
 * How long one address of a dual-stack name may take before the next is tried. Node's 250 ms give up
 * for good on links that are merely slow. @see https://github.com/nodejs/node/issues/54359
 */
const ADDRESS_ATTEMPT_MS = 2000

type Options = {
  readonly proxy: URL | undefined
  /** Trusted for a proxy that speaks TLS; the server's own go with the request. */
  readonly authorities: readonly string[] | undefined
  /** Ends a connection to a proxy that never answers: no request owns that socket yet. */
  readonly signal: AbortSignal
  /** How many connections are kept and used again; without it, none is. */
  readonly kept?: number
}

/**
 * Makes the agent of one request, without keep-alive: a body longer than announced must not be taken
 * for the next answer. Only where each body has a digest to answer to are connections kept.
 *
 * `http:` goes through a proxy by an absolute-form GET, for many proxies tunnel to port 443 only; `https:` by
 * CONNECT.
 *
 * @throws {NetworkError} For a kind of proxy that is not http or https.
 */
export async function agentsFor(url: URL, {proxy, authorities, signal, kept}: Options): Promise<Agents> {
  const connection = {
    autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
    keepAlive: kept !== undefined,
    ...(kept === undefined ? {} : {maxSockets: kept, maxFreeSockets: kept}),
  }
  if (proxy === undefined) {
    return url.protocol === 'https:' ? {https: new HttpsAgent(connection)} : {http: new HttpAgent(connection)}
  }
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') {
    throw new NetworkError(
      url.host,
      `the protocol ${proxy.protocol} of its proxy ${proxy.host} is not supported`,
      {
        suggestions: ['Name an http: or https: proxy in the proxy variables, or unset them.'],
      },
    )
  }
  const options = {...connection, signal, ...(authorities === undefined ? {} : {ca: [...authorities]})}
  if (url.protocol === 'https:') {
    const {HttpsProxyAgent} = await import('https-proxy-agent')
    return {https: new HttpsProxyAgent(proxy, options)}
  }
  const {HttpProxyAgent} = await import('http-proxy-agent')
  return {http: new HttpProxyAgent(proxy, options)}
}
