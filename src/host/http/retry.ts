import {setTimeout as sleep} from 'node:timers/promises'
import {ConnectionError, type HttpAnswer, SILENT} from './client.js'

/** The reason of a failed attempt, and its meaning for the next one. */
export type Failure = {
  readonly host: string
  /** A clause for a message. */
  readonly reason: string
  readonly isTransient: boolean
  readonly status?: number
  readonly retryAfterMs?: number | undefined
  readonly suggestions?: readonly string[]
  readonly cause?: unknown
}

/** A failed attempt. `reached`: whether a server answered at all. */
export type FailedTry = {readonly kind: 'failed'; readonly failure: Failure; readonly reached: boolean}

export function failedTry(failure: Failure, {reached}: {reached: boolean}): FailedTry {
  return {kind: 'failed', failure, reached}
}

/**
 * Returns the failed attempt of a connection error.
 *
 * @param reached - Whether this attempt got a response; `before`: whether an earlier one did.
 * @throws {unknown} Any other error.
 */
export function failedConnection(
  error: unknown,
  {reached, before}: {reached: boolean; before: boolean},
): FailedTry {
  if (!(error instanceof ConnectionError)) throw error
  return failedTry(failureOfConnection(error, {reached: reached || before}), {reached})
}

/** Node's and OpenSSL's codes for an untrusted certificate. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Returns the failure of a response without the body. */
export function failureOfAnswer({status, headers, url, viaProxy}: HttpAnswer, now: Date): Failure {
  return {
    host: url.host,
    reason: `it answered with status ${status}`,
    isTransient: isTransientStatus(status),
    status,
    retryAfterMs: parseRetryAfter(headers['retry-after'], now),
    suggestions: [
      ...(status === 404 || status === 410 ? ['Check the URL: there is no file.'] : []),
      ...(viaProxy === undefined ? [] : [`The answer came through the proxy ${viaProxy}.`]),
    ],
  }
}

/** Returns the failure of a connection error. @param reached - Whether a server answered before. */
export function failureOfConnection(error: ConnectionError, {reached}: {reached: boolean}): Failure {
  const {host, code, viaProxy} = error
  const isOfProxy = viaProxy !== undefined && BEFORE_REQUEST.has(code)
  return {
    host,
    reason: isOfProxy ? `its proxy ${viaProxy} is unreachable: ${describeCode(code)}` : describeCode(code),
    isTransient: isTransientCode(code, {reached}),
    suggestions: suggestionsFor(code),
    cause: error,
  }
}

/** Codes of a failed connection: with a proxy, they are about the proxy. */
const BEFORE_REQUEST: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
])

function suggestionsFor(code: string): string[] {
  if (UNTRUSTED.has(code)) {
    return ['If your network has its own certificate authority, name its PEM file in SSL_CERT_FILE.']
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ECONNREFUSED' || code === 'ETIMEDOUT') {
    return ['Check the URL and the network; a proxy is taken from http_proxy and https_proxy.']
  }
  return []
}

function describeCode(code: string): string {
  switch (code) {
    case 'ENOTFOUND':
      return 'no address is known for its name'
    case 'EAI_AGAIN':
      return 'its name could not be looked up'
    case 'ECONNREFUSED':
      return 'the connection was refused'
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return 'the connection broke'
    case 'ETIMEDOUT':
      return 'it did not answer in time'
    case SILENT:
      return 'it sent nothing for too long'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return 'there is no route to it'
    default:
      if (code.startsWith('HPE_')) return 'its answer is not valid HTTP'
      return UNTRUSTED.has(code) ? `its certificate is not trusted (${code})` : code
  }
}

/** Codes of Node and of the system after which a retry may succeed. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNRESET',
  'ENETDOWN',
  'ENETRESET',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
  SILENT,
])

/**
 * Codes that mean a mistake in the URL before the first response, and a restart or a lost link after it: a mistake
 * is reported at once.
 */
const TRANSIENT_ONCE_REACHED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
])

/** Statuses that may change on a retry. @see RFC 9110, section 15 */
const TRANSIENT_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

/** Maximum wait before a retry, even if the server requests more. */
const LONGEST_WAIT_MS = 30_000

export function isTransientCode(code: string, {reached}: {reached: boolean}): boolean {
  // llhttp's codes: an invalid response, usually a connection that a proxy cut and joined.
  return TRANSIENT.has(code) || code.startsWith('HPE_') || (reached && TRANSIENT_ONCE_REACHED.has(code))
}

function isTransientStatus(status: number): boolean {
  return TRANSIENT_STATUS.has(status)
}

/**
 * Returns the wait before the next attempt: exponential, with random jitter, so that clients that failed together
 * do not return together.
 *
 * @param failures - Number of failed attempts in a row, from 1.
 * @param retryAfterMs - The wait that the server requests; capped, never shortened otherwise.
 */
export function waitBeforeRetry(
  failures: number,
  {baseMs, retryAfterMs, random}: {baseMs: number; retryAfterMs: number | undefined; random: number},
): number {
  if (retryAfterMs !== undefined) return Math.min(retryAfterMs, LONGEST_WAIT_MS)
  const backoffMs = Math.min(baseMs * 2 ** (failures - 1), LONGEST_WAIT_MS)
  return Math.round(backoffMs * (0.5 + random / 2))
}

/** Waits before a retry. @throws {unknown} The reason of `signal`, instead of the timer's AbortError. */
export async function waitForRetry(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(waitMs, undefined, signal === undefined ? {} : {signal})
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** Parses Retry-After, seconds or a date. @see RFC 9110, section 10.2.3 */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime())
}
