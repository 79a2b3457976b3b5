import {setMaxListeners} from 'node:events'
import {Agent as HttpAgent, type IncomingHttpHeaders} from 'node:http'
import {Agent as HttpsAgent} from 'node:https'
import type {Readable} from 'node:stream'
import type {PlainResponse} from 'got'
import {codeOf, EnvsError} from '../../errors.js'
import {NetworkError, OfflineError} from './errors.js'
import {type Environment, isOffline, proxyFor} from './proxy.js'
import {certificateAuthorities, type HostTrust, tlsOptions} from './trust.js'

/** A response whose body is unread; the caller closes it. */
export type HttpAnswer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Throws ConnectionError. */
  readonly body: AsyncIterable<Buffer>
  readonly close: () => void
  /** The URL after redirects. */
  readonly url: URL
  readonly viaProxy: string | undefined
}

export type RequestOptions = {
  /** Default: GET. */
  readonly method?: HttpMethod
  readonly headers: Readonly<Record<string, string>>
  /** For methods other than GET and HEAD; empty by default. A stream needs a `content-length` among the headers. */
  readonly body?: Buffer | Readable
  /** Trusted certificates beside the usual authorities, by URL: redirects lead to other hosts. */
  readonly trust?: HostTrust | undefined
  readonly environment: Environment
  readonly signal: AbortSignal | undefined
  /** Time-out until the first chunk of the body, redirects included. */
  readonly headMs: number
  readonly idleMs: number
  /** Connections to reuse; the digest of the body must be known. */
  readonly connections?: Connections | undefined
}

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A connection failed or broke. Internal: the request may be retried. */
export class ConnectionError extends Error {
  constructor(
    readonly host: string,
    /** A code of Node, got or the system, or {@link SILENT}. */
    readonly code: string,
    cause: unknown,
    /** Host of the proxy, if any. */
    readonly viaProxy?: string | undefined,
  ) {
    super(`${code} at ${host}`, {cause})
  }
}

/** Code of a time-out of this client. */
export const SILENT = 'silent'

const MOST_REDIRECTS = 10

/** Time-outs of the steps before the first byte of a body, long enough for a satellite link or a busy mirror. */
const TIMEOUTS = {lookup: 10_000, connect: 15_000, secureConnect: 15_000, response: 60_000}

/** RFC 9110, section 15.4: redirects of GET and HEAD. Those of other methods are left to the caller, who has the body. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Sends a GET. See {@link send}. */
export function get(start: URL, options: Omit<RequestOptions, 'method' | 'body'>): Promise<HttpAnswer> {
  return send(start, options)
}

/**
 * Sends a request, and follows redirects of GET and HEAD; the proxy and the certificates are chosen for each host, and
 * `authorization` stays with the first. docs/decisions/0038-got.md says which parts are left to got.
 *
 * The body is not decompressed, because the digest matches the file as it was sent.
 *
 * @throws {OfflineError} @throws {NetworkError} For too many redirects, and for redirects that leave HTTPS or HTTP.
 * @throws {ConnectionError}
 * @throws {unknown} The reason of `signal`.
 */
export async function send(start: URL, options: RequestOptions): Promise<HttpAnswer> {
  const {method = 'GET'} = options
  if (isOffline(options.environment)) throw new OfflineError(start.host)
  const isRead = method === 'GET' || method === 'HEAD'
  const silence = new AbortController()
  const watch = (ms: number) => setTimeout(() => silence.abort(), ms)
  let timer: NodeJS.Timeout | undefined
  const signal = AbortSignal.any([silence.signal, ...(options.signal === undefined ? [] : [options.signal])])
  try {
    const {got} = await import('got')
    let route = await routeTo(start, {...options, signal})
    timer = watch(options.headMs)
    const stream = got.stream(start, {
      ...route.options,
      method,
      // Without a body, got waits for the caller to write one.
      ...(isRead ? {} : {body: options.body ?? Buffer.alloc(0)}),
      decompress: false,
      followRedirect: isRead ? isFollowed : false,
      headers: {'accept-encoding': 'identity', 'user-agent': 'envs', ...options.headers},
      hooks: {
        beforeRedirect: [
          async (next, response) => {
            dropBody(response)
            const to = new URL(String(next.url))
            route = await routeTo(to, {...options, signal})
            Object.assign(next, route.options)
            // got keeps it for another scheme of the same name; and what a registry knows is for that registry.
            if (to.origin !== start.origin) delete next.headers['authorization']
          },
        ],
      },
      maxRedirects: MOST_REDIRECTS,
      retry: {limit: 0},
      signal,
      throwHttpErrors: false,
      timeout: {...TIMEOUTS, response: Math.max(TIMEOUTS.response, options.headMs)},
    })
    // A long upload is no silence.
    stream.on('uploadProgress', () => {
      clearTimeout(timer)
      timer = watch(options.headMs)
    })
    const url = () => new URL(String(stream.options.url))
    const explain = (error: unknown) =>
      clientError(error, {start, url: url(), silence, signal: options.signal, viaProxy: route.proxy?.host})
    const response = await new Promise<PlainResponse>((resolve, reject) => {
      // This listener stays: a stream that is destroyed early may fail once more.
      stream.on('error', (error) => reject(explain(error)))
      stream.once('response', resolve)
    })
    return {
      status: response.statusCode,
      headers: response.headers,
      body: chunksOf(stream),
      close() {
        clearTimeout(timer)
        stream.destroy()
      },
      url: url(),
      viaProxy: route.proxy?.host,
    }

    async function* chunksOf(body: Readable): AsyncGenerator<Buffer, void, undefined> {
      try {
        for await (const chunk of body) {
          clearTimeout(timer)
          yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk)
          timer = watch(options.idleMs)
        }
      } catch (error) {
        throw explain(error)
      }
    }
  } catch (error) {
    clearTimeout(timer)
    throw error
  }
}

type RouteOptions = Pick<RequestOptions, 'environment' | 'connections' | 'trust'> & {
  readonly signal: AbortSignal
}

async function routeTo(url: URL, {environment, connections, signal, trust}: RouteOptions) {
  const proxy = proxyFor(url, environment)
  const isSecure = url.protocol === 'https:' || proxy?.protocol === 'https:'
  const authorities = isSecure ? await certificateAuthorities(environment) : undefined
  const agent = await (connections?.agentsFor(url, {proxy, authorities}) ??
    agentsFor(url, {proxy, authorities, signal}))
  const own = url.protocol === 'https:' ? await trust?.(url) : undefined
  return {proxy, options: {agent, https: await tlsOptions(own, {authorities, environment})}}
}

/**
 * Returns whether a response is a redirect to follow.
 *
 * @throws {NetworkError} For a redirect from HTTPS to an unprotected URL.
 */
function isFollowed({statusCode, headers: {location = ''}, url}: PlainResponse): boolean {
  if (!REDIRECTS.has(statusCode)) return false
  const from = new URL(url)
  if (!URL.canParse(location, url)) throw new NetworkError(from.host, 'it redirects to a malformed URL')
  const to = new URL(location, url)
  if (to.protocol !== 'https:' && (from.protocol === 'https:' || to.protocol !== 'http:')) {
    throw new NetworkError(from.host, `it redirects from ${from.protocol} to ${to.protocol}`, {
      suggestions: ['Use another mirror: this mirror redirects from HTTPS to an unprotected URL.'],
    })
  }
  return true
}

/** Drops the body of a redirect: got would read it to its end, and a hostile server never ends it. */
function dropBody(response: PlainResponse): void {
  for (const event of ['aborted', 'error']) response.removeAllListeners(event)
  response.on('error', () => {})
  response.destroy()
}

type FailureContext = {
  readonly start: URL
  readonly url: URL
  readonly silence: AbortController
  readonly signal: AbortSignal | undefined
  readonly viaProxy: string | undefined
}

function clientError(error: unknown, {start, url, silence, signal, viaProxy}: FailureContext): unknown {
  if (signal?.aborted === true) return signal.reason
  // An error of the redirect hooks.
  if (error instanceof Error && error.cause instanceof EnvsError) return error.cause
  if (codeOf(error) === 'ERR_TOO_MANY_REDIRECTS')
    return new NetworkError(start.host, `it redirects more than ${MOST_REDIRECTS} times`)
  return new ConnectionError(
    url.host,
    silence.signal.aborted ? SILENT : (codeOf(error) ?? 'unknown reason'),
    error,
    viaProxy,
  )
}

/** Agents by scheme, as got accepts them. */
export type Agents = {http?: HttpAgent; https?: HttpsAgent}

/**
 * Time-out of one address of a dual-stack name before the next is tried. Node's default of 250 ms fails on slow
 * links.
 *
 * @see https://github.com/nodejs/node/issues/54359
 */
const ADDRESS_ATTEMPT_MS = 2000

type AgentOptions = {
  readonly proxy: URL | undefined
  /** Certificate authorities for a TLS proxy; those for the server are request options. */
  readonly authorities: readonly string[] | undefined
  /** Aborts a connection to a silent proxy: no request owns that socket yet. */
  readonly signal: AbortSignal
  /** Number of connections to keep alive; undefined: none. */
  readonly kept?: number
}

/**
 * Creates the agent of a request, without keep-alive: bytes beyond the announced length must not be read as the
 * next response. Connections are kept alive only if each body has a known digest.
 *
 * `http:` uses an absolute-form GET to the proxy, because many proxies tunnel only to port 443; `https:` uses
 * CONNECT.
 *
 * @throws {NetworkError} For a proxy that is neither http nor https.
 */
async function agentsFor(url: URL, {proxy, authorities, signal, kept}: AgentOptions): Promise<Agents> {
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

type AgentRoute = {readonly proxy: URL | undefined; readonly authorities: readonly string[] | undefined}

/**
 * Connections that downloads reuse, with a maximum per server.
 *
 * Only for bodies whose digest is known: a server could send more than announced, and have it read as the next
 * response.
 */
export class Connections {
  readonly #agents = new Map<string, Promise<Agents>>()
  readonly #end = new AbortController()

  constructor(private readonly most: number) {
    // Each connection to a proxy adds a listener: more than ten are not a leak.
    setMaxListeners(0, this.#end.signal)
  }

  agentsFor(url: URL, route: AgentRoute): Promise<Agents> {
    const key = `${url.protocol} ${route.proxy?.href ?? ''}`
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const made = agentsFor(url, {...route, signal: this.#end.signal, kept: this.most})
    this.#agents.set(key, made)
    return made
  }

  /** Closes all connections, idle or not. */
  async close(): Promise<void> {
    this.#end.abort()
    for (const made of await Promise.allSettled(this.#agents.values())) {
      if (made.status !== 'fulfilled') continue
      made.value.http?.destroy()
      made.value.https?.destroy()
    }
  }
}

/** Returns a URL without its secrets: user, password and query are masked. */
export function redactUrl(url: URL): string {
  const shown = new URL(url)
  shown.hash = ''
  if (shown.username !== '') shown.username = '***'
  if (shown.password !== '') shown.password = '***'
  if (shown.search !== '') shown.search = '?***'
  return shown.href
}
