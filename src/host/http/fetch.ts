import {keepBody, readBody} from '../cache.js'
import {LEAST_PACE, type LeastPace, openPace, type Pace, timed} from './attempt.js'
import {type Answer, type Environment, get} from './client.js'
import {NetworkError, type UnexpectedSizeError, unexpectedSizeError} from './errors.js'
import {hasValidators, parseLength, strongValidators, type Validators, validatorsSchema} from './part.js'
import {
  type FailedTry,
  failedConnection,
  failedTry,
  failureOfAnswer,
  waitBeforeRetry,
  waitForRetry,
} from './retry.js'

/**
 * Fetches a small file and keeps a copy; asks only whether it is still the same as long as there is one.
 *
 * The copy is no more to be trusted than the server: what needs a proof must be verified each time. One that is
 * damaged, or can't be kept, is as none.
 *
 * @param path - Of the copy, which must be of this URL alone; its folder is made.
 * @returns undefined when the server says that there is none.
 * @throws {NetworkError} @throws {UnexpectedSizeError} @throws {@link certificateFileError}
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
  /** How slow a server may be. */
  readonly leastPace?: LeastPace
}

export type SmallAnswer =
  | {readonly kind: 'whole'; readonly body: Buffer; readonly validators: Validators}
  | {readonly kind: 'missing'}
  /** Still what the known validators stand for. */
  | {readonly kind: 'unchanged'}

type SmallOutcome = SmallAnswer | FailedTry

/** RFC 9110, sections 15.5.5 and 15.5.11. */
const MISSING: ReadonlySet<number> = new Set([404, 410])

/**
 * Fetches a file small enough to be held in memory, whole.
 *
 * @returns undefined when the server says that there is none.
 * @throws {NetworkError} When the last try failed, or one failed for good.
 * @throws {UnexpectedSizeError}
 * @throws {@link certificateFileError}
 * @throws {unknown} The reason of `signal`.
 */
export async function fetchSmall(url: URL, options: FetchSmallOptions): Promise<Buffer | undefined> {
  const answer = await askSmall(url, options)
  return answer.kind === 'whole' ? answer.body : undefined
}

/**
 * Asks for such a file on condition that it is another than the one `known` was taken from.
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
  let answer: Answer | undefined
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
  answer: Answer,
  {maxBytes, pace}: {maxBytes: number; pace: Pace},
): Promise<SmallOutcome> {
  const {host} = answer.url
  const announced = parseLength(answer.headers['content-length'])
  const chunks: Buffer[] = []
  let bytes = 0
  if ((announced ?? 0) > maxBytes) throw tooLarge(host, announced ?? 0, maxBytes)
  for await (const {chunk, waitedMs} of timed(answer.body)) {
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
