import {setTimeout as sleep} from 'node:timers/promises'
import {NetworkError, UnexpectedSizeError} from './errors.js'
import {type Failure, failureOfAnswer, failureOfConnection} from './failure.js'
import {parseLength} from './headers.js'
import type {Environment} from './proxy.js'
import {type Answer, ConnectionError, get} from './request.js'
import {waitBeforeRetry} from './retry.js'

export type FetchSmallOptions = {
  readonly environment: Environment
  /** More is not read. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
  /** Asks caches on the way for what the server has now. */
  readonly isFresh?: boolean
  /** How many tries may follow the first. */
  readonly retries?: number
  /** The wait after the first failure; doubled with each that follows. */
  readonly backoffMs?: number | undefined
  /** The longest silence, before the head of an answer and within its body. */
  readonly idleMs?: number
}

type Outcome = {readonly body: Buffer | undefined} | {readonly failure: Failure; readonly reached: boolean}

/** RFC 9110, sections 15.5.5 and 15.5.11. */
const MISSING: ReadonlySet<number> = new Set([404, 410])

/**
 * Fetches a file small enough to be held in memory, whole.
 *
 * @returns undefined when the server says that there is none.
 * @throws {NetworkError} When the last try failed, or one failed for good.
 * @throws {UnexpectedSizeError}
 * @throws {CertificateFileError}
 * @throws {unknown} The reason of `signal`.
 */
export async function fetchSmall(url: URL, options: FetchSmallOptions): Promise<Buffer | undefined> {
  const {signal, retries = 2, backoffMs = 500} = options
  let reached = false
  for (let failures = 1; ; failures++) {
    signal?.throwIfAborted()
    const outcome = await attempt(url, options, reached)
    if ('body' in outcome) return outcome.body
    reached ||= outcome.reached
    const {host, reason, isTransient, retryAfterMs, suggestions = [], cause} = outcome.failure
    if (!isTransient || failures > retries) throw new NetworkError(host, reason, {suggestions, cause})
    const waitMs = waitBeforeRetry(failures, {baseMs: backoffMs, retryAfterMs, random: Math.random()})
    await sleep(waitMs, undefined, signal === undefined ? {} : {signal}).catch((error: unknown) => {
      signal?.throwIfAborted()
      throw error
    })
  }
}

async function attempt(url: URL, options: FetchSmallOptions, reached: boolean): Promise<Outcome> {
  const {environment, maxBytes, isFresh = false, idleMs = 30_000} = options
  const stall = new AbortController()
  const signal = options.signal === undefined ? stall.signal : AbortSignal.any([stall.signal, options.signal])
  const timer = setTimeout(() => stall.abort(), idleMs)
  let answer: Answer | undefined
  try {
    const headers: Record<string, string> = isFresh ? {'cache-control': 'no-cache', pragma: 'no-cache'} : {}
    answer = await get(url, {headers, environment, signal})
    if (MISSING.has(answer.status)) return {body: undefined}
    if (answer.status !== 200) return {failure: failureOfAnswer(answer, new Date()), reached: true}
    return await readBody(answer, maxBytes, () => timer.refresh())
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!(error instanceof ConnectionError)) throw error
    const isReached = answer !== undefined
    if (!stall.signal.aborted) {
      return {failure: failureOfConnection(error, {reached: isReached || reached}), reached: isReached}
    }
    const reason = 'nothing came from it for too long'
    return {failure: {host: error.host, reason, isTransient: true, cause: error}, reached: isReached}
  } finally {
    clearTimeout(timer)
    answer?.close()
  }
}

async function readBody(answer: Answer, maxBytes: number, onBytes: () => void): Promise<Outcome> {
  const {host} = answer.url
  const announced = parseLength(answer.headers['content-length'])
  const chunks: Buffer[] = []
  let bytes = 0
  if ((announced ?? 0) > maxBytes) throw tooLarge(host, announced ?? 0, maxBytes)
  for await (const chunk of answer.body) {
    onBytes()
    bytes += chunk.length
    if (bytes > maxBytes) throw tooLarge(host, bytes, maxBytes)
    chunks.push(chunk)
  }
  if (announced !== undefined && announced !== bytes) {
    return {
      failure: {host, reason: `it sent ${bytes} of ${announced} bytes`, isTransient: true},
      reached: true,
    }
  }
  return {body: Buffer.concat(chunks)}
}

function tooLarge(host: string, actualBytes: number, maxBytes: number): UnexpectedSizeError {
  return new UnexpectedSizeError(host, actualBytes, {kind: 'at most', bytes: maxBytes})
}
