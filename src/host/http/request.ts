import type {IncomingHttpHeaders} from 'node:http'
import type {Readable} from 'node:stream'
import type {PlainResponse} from 'got'
import {codeOf, EnvsError} from '../../errors.js'
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
