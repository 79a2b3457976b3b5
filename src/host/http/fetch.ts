import {keepBody, readBody} from '../cache.js'
import {LEAST_PACE, type LeastPace, openPace, type Pace, withWaits} from './attempt.js'
import {get, type HttpAnswer} from './client.js'
import {NetworkError, type UnexpectedSizeError, unexpectedSizeError} from './errors.js'
import {hasValidators, parseLength, strongValidators, type Validators, validatorsSchema} from './part.js'
import type {Environment} from './proxy.js'
import {
  type FailedTry,
  failedConnection,
  failedTry,
  failureOfAnswer,
  waitBeforeRetry,
  waitForRetry,
} from './retry.js'

/**
 * Fetches a small file through a cache, with a conditional request if there is a copy.
 *
 * The copy is as untrusted as the server, and must be verified each time. A damaged copy is ignored.
 *
 * @param path - Path of the copy, for this URL alone; its folder is created.
 * @returns undefined if the server answers that there is no file.
 * @throws {NetworkError}
 * @throws {UnexpectedSizeError} @throws {@link certificateFileError}
 */
export async function fetchCached(
  url: URL,
  path: string,
  options: FetchSmallOptions,
): Promise<Buffer | undefined> {
  const kept = readBody(path, validatorsSchema)
  const answer = await askSmall(url, {
    ...options,
    ...(kept === undefined ? {} : {known: kept.facts}),
  })
  switch (answer.kind) {
    case 'missing':
      return undefined
    case 'unchanged':
      return kept?.body
    case 'whole':
      if (hasValidators(answer.validators)) await keepBody(path, answer.validators, answer.body)
      return answer.body
  }
}

export type FetchSmallOptions = {
  readonly environment: Environment
  /** Maximum size. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
  /** Bypasses proxy caches. */
  readonly isFresh?: boolean
  /** Number of retries. */
  readonly retries?: number
  /** Wait before the first retry; doubled for each retry. */
  readonly backoffMs?: number | undefined
  /** Time-out of the response headers, and of a chunk of the body. */
  readonly idleMs?: number
  /** Minimum pace of the server. */
  readonly leastPace?: LeastPace
}

export type SmallAnswer =
  | {readonly kind: 'whole'; readonly body: Buffer; readonly validators: Validators}
  | {readonly kind: 'missing'}
  /** The file is unchanged since the known validators. */
  | {readonly kind: 'unchanged'}

type SmallOutcome = SmallAnswer | FailedTry

/** RFC 9110, sections 15.5.5 and 15.5.11. */
const MISSING: ReadonlySet<number> = new Set([404, 410])

/**
 * Fetches a small file into memory.
 *
 * @returns undefined if the server answers that there is no file.
 * @throws {NetworkError} If the last retry failed, or an attempt failed permanently.
 * @throws {UnexpectedSizeError}
 * @throws {@link certificateFileError}
 * @throws {unknown} The reason of `signal`.
 */
export async function fetchSmall(url: URL, options: FetchSmallOptions): Promise<Buffer | undefined> {
  const answer = await askSmall(url, options)
  return answer.kind === 'whole' ? answer.body : undefined
}

/**
 * Requests a small file, on condition that it has changed since `known`.
 *
 * @throws {NetworkError} @throws {UnexpectedSizeError} @throws {@link certificateFileError}
 */
export async function askSmall(
  url: URL,
  options: FetchSmallOptions & {known?: Validators},
): Promise<SmallAnswer> {
  const {signal, retries = 2, backoffMs = 500} = options
  let reached = false
  for (let failures = 1; ; failures++) {
    signal?.throwIfAborted()
    const outcome = await attemptSmall(url, options, reached)
    if (outcome.kind !== 'failed') return outcome
    reached ||= outcome.reached
    const {host, reason, isTransient, status, retryAfterMs, suggestions = [], cause} = outcome.failure
    if (!isTransient || failures > retries) throw new NetworkError(host, reason, {suggestions, status, cause})
    const waitMs = waitBeforeRetry(failures, {baseMs: backoffMs, retryAfterMs, random: Math.random()})
    await waitForRetry(waitMs, signal)
  }
}

async function attemptSmall(
  url: URL,
  options: FetchSmallOptions & {known?: Validators},
  reached: boolean,
): Promise<SmallOutcome> {
  const {environment, signal, maxBytes, idleMs = 30_000, leastPace = LEAST_PACE} = options
  const pace = openPace(leastPace, {mostMs: idleMs})
  let answer: HttpAnswer | undefined
  try {
    answer = await get(url, {headers: headersOf(options), environment, signal, headMs: idleMs, idleMs})
    if (MISSING.has(answer.status)) return {kind: 'missing'}
    if (answer.status === 304 && options.known !== undefined) return {kind: 'unchanged'}
    if (answer.status !== 200) return failedTry(failureOfAnswer(answer, new Date()), {reached: true})
    return await readSmallBody(answer, {maxBytes, pace})
  } catch (error) {
    return failedConnection(error, {reached: answer !== undefined, before: reached})
  } finally {
    answer?.close()
  }
}

async function readSmallBody(
  answer: HttpAnswer,
  {maxBytes, pace}: {maxBytes: number; pace: Pace},
): Promise<SmallOutcome> {
  const {host} = answer.url
  const announced = parseLength(answer.headers['content-length'])
  const chunks: Buffer[] = []
  let bytes = 0
  if ((announced ?? 0) > maxBytes) throw tooLarge(host, announced ?? 0, maxBytes)
  for await (const {chunk, waitedMs} of withWaits(answer.body)) {
    bytes += chunk.length
    if (bytes > maxBytes) throw tooLarge(host, bytes, maxBytes)
    chunks.push(chunk)
    const reason = pace.note(chunk.length, waitedMs)
    if (reason !== undefined && bytes !== announced)
      return failedTry({host, reason, isTransient: false}, {reached: true})
  }
  if (announced !== undefined && announced !== bytes) {
    const reason = `it sent ${bytes} of ${announced} bytes`
    return failedTry({host, reason, isTransient: true}, {reached: true})
  }
  return {kind: 'whole', body: Buffer.concat(chunks), validators: strongValidators(answer.headers)}
}

function headersOf({
  isFresh = false,
  known,
}: FetchSmallOptions & {known?: Validators}): Record<string, string> {
  return {
    ...(isFresh ? {'cache-control': 'no-cache', pragma: 'no-cache'} : {}),
    ...(known?.etag === undefined ? {} : {'if-none-match': known.etag}),
    ...(known?.lastModified === undefined ? {} : {'if-modified-since': known.lastModified}),
  }
}

function tooLarge(host: string, actualBytes: number, maxBytes: number): UnexpectedSizeError {
  return unexpectedSizeError({host, actualBytes, limit: `at most ${maxBytes}`})
}
