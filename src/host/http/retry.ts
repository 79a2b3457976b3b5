import {setTimeout as sleep} from 'node:timers/promises'
import {SILENT} from './request.js'

/** Codes of Node and of the system after which the same request may well succeed. */
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
 * A typing mistake when nothing has ever come from the server, a restart or a lost link once something has:
 * nobody wants to wait half a minute to hear of the mistake.
 */
const TRANSIENT_ONCE_REACHED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
])

/** @see RFC 9110, section 15: the others say the same thing if they are asked again. */
const TRANSIENT_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

/** No server makes a user wait longer between two tries than this, whatever it asks for. */
const LONGEST_WAIT_MS = 30_000

export function isTransientCode(code: string, {reached}: {reached: boolean}): boolean {
  // llhttp's codes: an answer that is no HTTP, most often a connection cut and joined by something between.
  return TRANSIENT.has(code) || code.startsWith('HPE_') || (reached && TRANSIENT_ONCE_REACHED.has(code))
}

export function isTransientStatus(status: number): boolean {
  return TRANSIENT_STATUS.has(status)
}

/**
 * How long to wait before the next try: twice as long each time, at random by half, so that clients that failed together
 * do not return together.
 *
 * @param failures - Tries in a row that failed, from 1.
 * @param retryAfterMs - What the server asks for; it is not undercut, but capped.
 */
export function waitBeforeRetry(
  failures: number,
  {baseMs, retryAfterMs, random}: {baseMs: number; retryAfterMs: number | undefined; random: number},
): number {
  if (retryAfterMs !== undefined) return Math.min(retryAfterMs, LONGEST_WAIT_MS)
  const backoffMs = Math.min(baseMs * 2 ** (failures - 1), LONGEST_WAIT_MS)
  return Math.round(backoffMs * (0.5 + random / 2))
}

/** Waits between two tries. @throws {unknown} The reason of `signal`, rather than the AbortError that the timer makes of it. */
export async function waitForRetry(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(waitMs, undefined, signal === undefined ? {} : {signal})
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** Reads Retry-After, seconds or a date. @see RFC 9110, section 10.2.3 */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime())
}
