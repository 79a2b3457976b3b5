import type {IncomingHttpHeaders} from 'node:http'
import type {Readable} from 'node:stream'
import type {Host} from '../host/host.js'
import {type DownloadEvent, LEAST_PACE, type LeastPace, openPace, type Pace} from '../host/http/attempt.js'
import {ConnectionError, type HttpAnswer, type HttpMethod, send} from '../host/http/client.js'
import {readSmallBody} from '../host/http/fetch.js'
import {
  type FailedTry,
  failedConnection,
  failureOfAnswer,
  waitBeforeRetry,
  waitForRetry,
} from '../host/http/retry.js'
import {type Authorization, openAuthorization} from './access/authorization.js'
import {certificateFolders} from './access/certificates.js'
import {findCredentials} from './access/credentials.js'
import {plainHttpError, registryUnreachableError} from './errors.js'
import {type Endpoint, type RegistrySettings, trustOf} from './hosts.js'
import {MOST_MANIFEST_BYTES} from './manifest.js'
import {isUsedUp} from './rate-limit.js'

export type RegistryOptions = {
  readonly settings: RegistrySettings
  readonly host: Pick<Host, 'environment' | 'uid' | 'which'>
  readonly signal: AbortSignal
  /** Called before a wait. */
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  /** Wait before the first retry; doubled for each retry. */
  readonly backoffMs?: number
  /** Time-out of an answer, and of a chunk of its body. */
  readonly idleMs?: number
  /** Minimum pace of a server. */
  readonly leastPace?: LeastPace
}

/** A request below `/v2/` of a registry. */
export type RegistryRequest = {
  readonly method?: HttpMethod
  /** Relative to `/v2/`; or a URL that the registry named. */
  readonly to: string | URL
  readonly headers?: Readonly<Record<string, string>>
  /** Made again for each try. */
  readonly body?: () => Buffer | Readable
  /** Scopes of a token: `repository:NAME:pull`. */
  readonly scopes: readonly string[]
  /** Time-out of the answer, which for an upload comes after the registry has read it again. */
  readonly headMs?: number
  /** Default: that of the connection. */
  readonly signal?: AbortSignal
}

export type RegistryAnswer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly url: URL
}

/** Requests to one endpoint, with its certificates and credentials. */
export type Connection = {
  readonly endpoint: Endpoint
  readonly authorization: Authorization
  /**
   * Sends a request, with retries, and reads its small answer, whatever its status.
   *
   * @throws {RegistryUnreachableError} @throws {@link plainHttpError} @throws {@link unsafeSignInError}
   */
  call(request: RegistryRequest): Promise<RegistryAnswer>
  /**
   * Sends a request, again while the registry is busy, and leaves the body of the answer to the caller.
   *
   * @throws {ConnectionError}
   */
  openPatiently(request: RegistryRequest): Promise<HttpAnswer>
  /** Sends a request once, and reads its small answer. @throws {ConnectionError} */
  callOnce(request: RegistryRequest): Promise<CallOutcome>
  /** Counts the failures of a request that the caller repeats. */
  openTries(signal?: AbortSignal): Tries
  /** Starts to measure the pace of a body. */
  openPace(): Pace
}

type CallOutcome = {readonly kind: 'whole'; readonly answer: RegistryAnswer} | FailedTry

/** Failures in a row, and the waits between them. */
export type Tries = {
  /** Whether another failure is the last. */
  readonly isLast: boolean
  /** Waits before the next try. @throws {RegistryUnreachableError} If there is none. */
  fail(failed: FailedTry): Promise<void>
  /** Returns the failure of a connection error. @throws {unknown} Any other error. */
  failureOf(error: unknown, options: {readonly reached: boolean}): FailedTry
  /** Something was received: the count of failures restarts. */
  succeed(): void
}

/** Retries of a request; none at a mirror, which has the registry behind it. */
const RETRIES = 2

/** Tokens that are asked for again for one request: the first may have expired in between. */
const MOST_TOKENS = 2

const IDLE_MS = 30_000

export function openConnection(endpoint: Endpoint, options: RegistryOptions): Connection {
  const {
    settings,
    host,
    signal,
    onProgress,
    backoffMs = 500,
    idleMs = IDLE_MS,
    leastPace = LEAST_PACE,
  } = options
  const measure = () => openPace(leastPace, {mostMs: idleMs})
  const {environment} = host
  const trust = trustOf(endpoint, settings, certificateFolders(host, settings.certificates))
  const request = {environment, signal, headMs: idleMs, idleMs, trust}
  const authorization = openAuthorization({
    endpoint,
    insecure: settings.insecure,
    findCredentials: () =>
      findCredentials({host: endpoint.host, repository: endpoint.repository, signal}, host),
    request,
  })
  let reached = false

  async function open({to, method = 'GET', headers, body, scopes, headMs = idleMs, ...own}: RegistryRequest) {
    for (let tokens = 0; ; ) {
      const url = typeof to === 'string' ? new URL(`/v2/${to}`, endpoint.origin) : to
      const isOwn = url.origin === endpoint.origin.origin
      const header = isOwn ? authorization.header(scopes) : undefined
      const content = body?.()
      const answer = await sendWhole(url, {
        ...request,
        ...own,
        method,
        headMs,
        ...(content === undefined ? {} : {body: content}),
        headers: {...headers, ...(header === undefined ? {} : {authorization: header})},
      }).catch(useHttp)
      if (answer === undefined) continue
      // A challenge of another host is not the registry's: its credentials are not for that host.
      if (answer.status !== 401 || answer.url.origin !== endpoint.origin.origin) return answer
      if (tokens++ >= MOST_TOKENS || !(await authorization.answer(answer, scopes))) return answer
      answer.close()
    }
  }

  /** Continues with plain HTTP if an insecure registry speaks it; the failed try does not count. */
  function useHttp(error: unknown): undefined {
    if (!(error instanceof ConnectionError) || endpoint.origin.protocol === 'http:') throw error
    if (error.host !== endpoint.origin.host || !isWithoutTls(error, endpoint)) throw error
    if (!endpoint.isInsecure) throw plainHttpError({host: endpoint.host}, {cause: error})
    endpoint.origin = new URL(`http://${endpoint.origin.host}/`)
  }

  function openTries(own: AbortSignal = signal): Tries {
    const retries = endpoint.isMirror ? 0 : RETRIES
    let failures = 0
    return {
      get isLast() {
        return failures >= retries
      },
      async fail({failure, reached: isReached}) {
        reached ||= isReached
        failures++
        const {host: failed, reason, isTransient, retryAfterMs, suggestions = [], cause} = failure
        if (!isTransient || failures > retries)
          throw registryUnreachableError({host: failed, reason}, {hints: suggestions, cause})
        const waitMs = waitBeforeRetry(failures, {baseMs: backoffMs, retryAfterMs, random: Math.random()})
        onProgress?.({stage: 'download-retry', waitMs, reason: `${failed}: ${reason}`})
        await waitForRetry(waitMs, own)
      },
      failureOf: (error, {reached: isReached}) =>
        failedConnection(error, {reached: isReached, before: reached}),
      succeed() {
        failures = 0
        reached = true
      },
    }
  }

  async function openPatiently(wanted: RegistryRequest): Promise<HttpAnswer> {
    const tries = openTries(wanted.signal)
    for (;;) {
      const answer = await open(wanted)
      const failure = failureOfAnswer(answer, new Date())
      if (!failure.isTransient || tries.isLast || !isWorthAWait(answer)) return answer
      answer.close()
      await tries.fail({kind: 'failed', failure, reached: true})
    }
  }

  async function call(wanted: RegistryRequest): Promise<RegistryAnswer> {
    const tries = openTries(wanted.signal)
    for (;;) {
      const outcome = await openPatiently(wanted)
        .then((answer) => readAnswer(answer, wanted))
        .catch((error: unknown) => tries.failureOf(error, {reached: false}))
      if (outcome.kind === 'whole') {
        tries.succeed()
        return outcome.answer
      }
      await tries.fail(outcome)
    }
  }

  async function callOnce(wanted: RegistryRequest): Promise<CallOutcome> {
    return readAnswer(await open(wanted), wanted)
  }

  async function readAnswer(answer: HttpAnswer, {method}: RegistryRequest): Promise<CallOutcome> {
    try {
      const {status, headers, url} = answer
      const whole = (body: Buffer) => ({kind: 'whole', answer: {status, headers, body, url}}) as const
      if (method === 'HEAD') return whole(Buffer.alloc(0))
      const read = await readSmallBody(answer, {maxBytes: MOST_MANIFEST_BYTES, pace: measure()})
      return read.kind === 'failed' ? read : whole(read.body)
    } finally {
      answer.close()
    }
  }

  return {endpoint, authorization, call, callOnce, openPatiently, openTries, openPace: measure}
}

/** The longest wait that a registry may ask for. */
const MOST_WAIT_MS = 30_000

function isWorthAWait(answer: HttpAnswer): boolean {
  const {retryAfterMs = 0} = failureOfAnswer(answer, new Date())
  return !isUsedUp(answer.headers) && retryAfterMs <= MOST_WAIT_MS
}

/** Sends a request whose stream may fail by itself: then its own error counts. */
async function sendWhole(url: URL, options: Parameters<typeof send>[1]): Promise<HttpAnswer> {
  const {body} = options
  if (body === undefined || Buffer.isBuffer(body)) return send(url, options)
  let own: {readonly error: unknown} | undefined
  body.once('error', (error) => {
    own ??= {error}
  })
  try {
    const answer = await send(url, options)
    return {
      ...answer,
      close() {
        answer.close()
        body.destroy()
      },
    }
  } catch (error) {
    body.destroy()
    throw own === undefined ? error : own.error
  }
}

/** Whether a server does not speak TLS at all, or has nothing at its port. A server without a port may have only HTTP's. */
function isWithoutTls({code}: ConnectionError, {origin}: Endpoint): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_') || (code === 'ECONNREFUSED' && origin.port === '')
}
