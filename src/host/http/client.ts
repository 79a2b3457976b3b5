import {setMaxListeners} from 'node:events'
import {readFile} from 'node:fs/promises'
import {Agent as HttpAgent, type IncomingHttpHeaders} from 'node:http'
import {Agent as HttpsAgent} from 'node:https'
import {BlockList, isIP} from 'node:net'
import type {Readable} from 'node:stream'
import type {PlainResponse} from 'got'
import {codeOf, EnvsError} from '../../errors.js'
import {certificateFileError, NetworkError} from './errors.js'

/** An answer whose body has not been read; whoever gets it closes it. */
export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Fails with ConnectionError. */
  readonly body: AsyncIterable<Buffer>
  readonly close: () => void
  /** Where the redirects ended. */
  readonly url: URL
  readonly viaProxy: string | undefined
}

export type RequestOptions = {
  readonly headers: Readonly<Record<string, string>>
  readonly environment: Environment
  readonly signal: AbortSignal | undefined
  /** The longest silence: before the first piece of a body, redirects included, and between two pieces. */
  readonly headMs: number
  readonly idleMs: number
  /** To be used again; the digest of what comes must be known. */
  readonly connections?: Connections | undefined
}

/** A connection that could not be made or did not last; not yet one for the user, for it may be tried again. */
export class ConnectionError extends Error {
  constructor(
    readonly host: string,
    /** Node's, got's or the system's, or {@link SILENT}. */
    readonly code: string,
    cause: unknown,
  ) {
    super(`${code} at ${host}`, {cause})
  }
}

/** Nothing came for longer than was allowed. */
export const SILENT = 'silent'

const MOST_REDIRECTS = 10

/** Bounds of the steps before the first byte of a body; what a link by satellite or a busy mirror needs. */
const TIMEOUTS = {lookup: 10_000, connect: 15_000, secureConnect: 15_000, response: 60_000}

/** RFC 9110, section 15.4: those that send a GET elsewhere. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Sends a GET and follows its redirects; the proxy is chosen anew for each host. docs/decisions/0038-got.md says what is left to
 * got and what is not.
 *
 * The body comes as it was sent: nothing is decompressed, for the digest is of the file and not of what is in it.
 *
 * @throws {NetworkError} For too many redirects and for those that leave https or HTTP.
 * @throws {ConnectionError}
 * @throws {unknown} The reason of `signal`.
 */
export async function get(start: URL, options: RequestOptions): Promise<Answer> {
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
      decompress: false,
      followRedirect: isFollowed,
      headers: {'accept-encoding': 'identity', 'user-agent': 'envs', ...options.headers},
      hooks: {
        beforeRedirect: [
          async (next, response) => {
            dropBody(response)
            route = await routeTo(new URL(String(next.url)), {...options, signal})
            Object.assign(next, route.options)
          },
        ],
      },
      maxRedirects: MOST_REDIRECTS,
      retry: {limit: 0},
      signal,
      throwHttpErrors: false,
      timeout: TIMEOUTS,
    })
    const url = () => new URL(String(stream.options.url))
    const explain = (error: unknown) => explained(error, {start, url: url(), silence, signal: options.signal})
    const response = await new Promise<PlainResponse>((resolve, reject) => {
      // It stays: a stream that is destroyed early may fail once more, and nobody asks any longer.
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
          yield Buffer.from(chunk)
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

type Way = Pick<RequestOptions, 'environment' | 'connections'> & {readonly signal: AbortSignal}

async function routeTo(url: URL, {environment, connections, signal}: Way) {
  const proxy = proxyFor(url, environment)
  const isSecure = url.protocol === 'https:' || proxy?.protocol === 'https:'
  const authorities = isSecure ? await certificateAuthorities(environment) : undefined
  const agent = await (connections?.agentsFor(url, {proxy, authorities}) ??
    agentsFor(url, {proxy, authorities, signal}))
  return {
    proxy,
    options: {agent, https: authorities === undefined ? {} : {certificateAuthority: authorities}},
  }
}

/** @throws {NetworkError} For one that gives up what the URL asks for. */
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

/** got would read the body of a redirect to its end, which a hostile server never sends. */
function dropBody(response: PlainResponse): void {
  for (const event of ['aborted', 'error']) response.removeAllListeners(event)
  response.on('error', () => {})
  response.destroy()
}

type Circumstance = {
  readonly start: URL
  readonly url: URL
  readonly silence: AbortController
  readonly signal: AbortSignal | undefined
}

function explained(error: unknown, {start, url, silence, signal}: Circumstance): unknown {
  if (signal?.aborted === true) return signal.reason
  // What was thrown while it followed a redirect.
  if (error instanceof Error && error.cause instanceof EnvsError) return error.cause
  if (codeOf(error) === 'ERR_TOO_MANY_REDIRECTS')
    return new NetworkError(start.host, `it redirects more than ${MOST_REDIRECTS} times`)
  return new ConnectionError(
    url.host,
    silence.signal.aborted ? SILENT : (codeOf(error) ?? 'unknown reason'),
    error,
  )
}

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
async function agentsFor(url: URL, {proxy, authorities, signal, kept}: Options): Promise<Agents> {
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

/**
 * The certificate authorities to trust, as PEM texts; undefined for the ones Node brings along.
 *
 * `SSL_CERT_FILE` takes the place of those, as in OpenSSL. Node leaves `NODE_EXTRA_CA_CERTS` out as soon as it is
 * given a list, so it is added here.
 *
 * @throws {@link certificateFileError}
 */
async function certificateAuthorities(environment: Environment): Promise<string[] | undefined> {
  const own = environment['SSL_CERT_FILE']
  if (!own) return undefined
  const authorities = [await readPem('SSL_CERT_FILE', own)]
  const extra = environment['NODE_EXTRA_CA_CERTS']
  if (extra) authorities.push(await readPem('NODE_EXTRA_CA_CERTS', extra))
  return authorities
}

async function readPem(variable: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw certificateFileError({variable, path}, {cause: error})
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_PORTS: Readonly<Record<string, string>> = {'http:': '80', 'https:': '443'}

/**
 * The proxy that `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` ask for, lower case before upper.
 *
 * A name in `no_proxy` means itself and all below it, `.name` and `*.name` too; `name:port` that port only;
 * `10.0.0.0/8` a range of addresses; `*` everything.
 *
 * @returns The URL, `http:` where the variable names no scheme, or undefined for a direct connection. Its
 *   scheme may be one that envs can't speak.
 * @see curl(1), ENVIRONMENT
 */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const scheme = url.protocol.slice(0, -1)
  const value = read(environment, `${scheme}_proxy`) ?? read(environment, 'all_proxy')
  if (value === undefined || isExempt(url, read(environment, 'no_proxy') ?? '')) return undefined
  const text = value.includes('://') ? value : `http://${value}`
  return URL.canParse(text) ? new URL(text) : undefined
}

function read(environment: Environment, name: string): string | undefined {
  return environment[name] || environment[name.toUpperCase()] || undefined
}

function isExempt(url: URL, list: string): boolean {
  const port = url.port || DEFAULT_PORTS[url.protocol]
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || covers(entry, host, port))
}

function covers(entry: string, host: string, port: string | undefined): boolean {
  const withPort = /^(?<name>\[.*\]|[^:]+):(?<port>\d+)$/.exec(entry)?.groups
  if (withPort !== undefined && withPort['port'] !== port) return false
  const name = (withPort?.['name'] ?? entry).replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return name === host || isInSubnet(host, name)
  const domain = name.replace(/^\*?\./, '')
  return host === domain || host.endsWith(`.${domain}`)
}

function isInSubnet(host: string, subnet: string): boolean {
  const {network = '', bits = ''} = /^(?<network>[^/]+)\/(?<bits>\d{1,3})$/.exec(subnet)?.groups ?? {}
  const family = isIP(network)
  if (family === 0 || family !== isIP(host) || Number(bits) > (family === 4 ? 32 : 128)) return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(network, Number(bits), kind)
  return list.check(host, kind)
}

type Route = {readonly proxy: URL | undefined; readonly authorities: readonly string[] | undefined}

/**
 * Connections that several downloads use in turn, at most so many to one server.
 *
 * A server could send more than it announced, and have it taken for the next answer: only for bodies whose digest is known.
 */
export class Connections {
  readonly #agents = new Map<string, Promise<Agents>>()
  readonly #end = new AbortController()

  constructor(private readonly most: number) {
    // Each connection to a proxy listens to it, and more than ten are no leak.
    setMaxListeners(0, this.#end.signal)
  }

  agentsFor(url: URL, route: Route): Promise<Agents> {
    const key = `${url.protocol} ${route.proxy?.href ?? ''}`
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const made = agentsFor(url, {...route, signal: this.#end.signal, kept: this.most})
    this.#agents.set(key, made)
    return made
  }

  /** Ends those that nobody uses and those in use. */
  async close(): Promise<void> {
    this.#end.abort()
    for (const made of await Promise.allSettled(this.#agents.values())) {
      if (made.status !== 'fulfilled') continue
      made.value.http?.destroy()
      made.value.https?.destroy()
    }
  }
}

/** A URL fit for messages and for storing: user, password and query are where secrets travel. */
export function redactUrl(url: URL): string {
  const shown = new URL(url)
  shown.hash = ''
  if (shown.username !== '') shown.username = '***'
  if (shown.password !== '') shown.password = '***'
  if (shown.search !== '') shown.search = '?***'
  return shown.href
}
