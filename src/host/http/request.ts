import type {IncomingHttpHeaders} from 'node:http'
import type {Readable} from 'node:stream'
import {errnoOf} from '../../errors.js'
import {agentsFor} from './agents.js'
import {certificateAuthorities} from './certificates.js'
import type {Connections} from './connections.js'
import {NetworkError} from './errors.js'
import {type Environment, proxyFor} from './proxy.js'

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
  readonly signal: AbortSignal
  /** To be used again; the digest of what comes must be known. */
  readonly connections?: Connections | undefined
}

/** A connection that could not be made or did not last; not yet one for the user, for it may be tried again. */
export class ConnectionError extends Error {
  constructor(
    readonly host: string,
    /** Node's, got's or the system's. */
    readonly code: string,
    cause: unknown,
  ) {
    super(`${code} at ${host}`, {cause})
  }
}

const MOST_REDIRECTS = 10

/** Bounds of the steps before the first byte of a body; what a link by satellite or a busy mirror needs. */
const TIMEOUTS = {lookup: 10_000, connect: 15_000, secureConnect: 15_000, response: 60_000}

/** RFC 9110, section 15.4: those that send a GET elsewhere. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Sends a GET and follows its redirects; the proxy is chosen anew for each host.
 *
 * The body comes as it was sent: nothing is decompressed, for the digest is of the file and not of what is in it.
 *
 * @throws {NetworkError} For too many redirects and for those that leave https or HTTP.
 * @throws {ConnectionError}
 */
export async function get(start: URL, options: RequestOptions): Promise<Answer> {
  let url = start
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const answer = await getOnce(url, options)
    const {location} = answer.headers
    if (!REDIRECTS.has(answer.status) || location === undefined) return answer
    answer.close()
    url = redirected(url, location)
  }
  throw new NetworkError(start.host, `it redirects more than ${MOST_REDIRECTS} times`)
}

async function getOnce(url: URL, options: RequestOptions): Promise<Answer> {
  const {headers, environment, signal, connections} = options
  const {got} = await import('got')
  const proxy = proxyFor(url, environment)
  const isSecure = url.protocol === 'https:' || proxy?.protocol === 'https:'
  const authorities = isSecure ? await certificateAuthorities(environment) : undefined
  const stream = got.stream(url, {
    agent: await (connections?.agentsFor(url, {proxy, authorities}) ??
      agentsFor(url, {proxy, authorities, signal})),
    decompress: false,
    followRedirect: false,
    headers: {'accept-encoding': 'identity', 'user-agent': 'envs', ...headers},
    https: authorities === undefined ? {} : {certificateAuthority: authorities},
    retry: {limit: 0},
    signal,
    throwHttpErrors: false,
    timeout: TIMEOUTS,
  })
  return new Promise((resolve, reject) => {
    // It stays: a stream that is destroyed early may fail once more, and nobody asks any longer.
    stream.on('error', (error) => reject(connectionError(url, error)))
    stream.once('response', (response: {statusCode: number; headers: IncomingHttpHeaders}) => {
      resolve({
        status: response.statusCode,
        headers: response.headers,
        body: chunksOf(stream, url),
        close: () => stream.destroy(),
        url,
        viaProxy: proxy?.host,
      })
    })
  })
}

async function* chunksOf(stream: Readable, url: URL): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of stream) yield Buffer.from(chunk)
  } catch (error) {
    throw connectionError(url, error)
  }
}

function connectionError(url: URL, error: unknown): ConnectionError {
  return new ConnectionError(url.host, errnoOf(error) ?? 'unknown reason', error)
}

function redirected(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href)) {
    throw new NetworkError(from.host, 'it redirects to a malformed URL')
  }
  const to = new URL(location, from)
  if (to.protocol !== 'https:' && (from.protocol === 'https:' || to.protocol !== 'http:')) {
    throw new NetworkError(from.host, `it redirects from ${from.protocol} to ${to.protocol}`, {
      suggestions: ['Use another mirror: this mirror redirects from HTTPS to an unprotected URL.'],
    })
  }
  return to
}
