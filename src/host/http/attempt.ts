import {type Connections, get, type HttpAnswer, type RequestOptions} from './client.js'
import {NetworkError, unexpectedSizeError} from './errors.js'
import {contradicts, type PartialFile, parseContentRange, parseLength, strongValidators} from './part.js'
import type {Environment} from './proxy.js'
import {
  type FailedTry,
  failedConnection,
  failedTry,
  failureOfAnswer,
  waitBeforeRetry,
  waitForRetry,
} from './retry.js'

/** Progress of a download. */
export type DownloadEvent =
  | {readonly stage: 'download'; readonly receivedBytes: number; readonly totalBytes: number | undefined}
  | {readonly stage: 'download-retry'; readonly waitMs: number; readonly reason: string}
  /** Another process downloads the same file. */
  | {readonly stage: 'download-wait'}

export type ReceiveOptions = {
  readonly url: URL
  /** Environment variables that name proxies and certificate authorities. */
  readonly environment: Environment
  readonly maxBytes: number
  readonly expectedBytes?: number | undefined
  /** Connections to reuse; without them each download opens its own. */
  readonly connections?: Connections | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  /** Number of retries in a row that bring no new bytes. */
  readonly retries?: number
  /** Wait before the first retry; doubled for each retry. */
  readonly backoffMs?: number
  /** Time-out of the response headers. */
  readonly headMs?: number
  /** Time-out of a chunk of the body. */
  readonly idleMs?: number
  /** Minimum pace of the server. */
  readonly leastPace?: LeastPace
  /** Number of failed attempts until the bytes of {@link leastPace} are received, even if each attempt brings some. */
  readonly mostBreaks?: number
}

/**
 * Completes `part`, with retries.
 *
 * @throws {NetworkError} If retries in a row brought nothing, or an attempt failed permanently.
 * @throws {UnexpectedSizeError}
 * @throws {@link downloadStorageError}
 * @throws {@link certificateFileError}
 * @throws {unknown} The reason of `signal`.
 */
export async function receive(
  part: PartialFile,
  {isDigestKnown, ...options}: ReceiveOptions & {isDigestKnown: boolean},
): Promise<void> {
  const {url, environment, maxBytes, expectedBytes, connections, signal, onProgress} = options
  const {retries = 5, backoffMs = 500, headMs = 60_000, idleMs = 30_000} = options
  const {leastPace = LEAST_PACE, mostBreaks = 50} = options
  const pace = openPace(leastPace, {mostMs: idleMs})
  let failures = 0
  let breaks = {count: 0, from: part.receivedBytes}
  let mostBytes = part.receivedBytes
  let reached = false
  for (;;) {
    signal?.throwIfAborted()
    const outcome = await attempt(part, {
      url,
      environment,
      connections,
      signal,
      isDigestKnown,
      expectedBytes,
      maxBytes,
      headMs,
      idleMs,
      pace,
      reached,
      onBytes: (receivedBytes, totalBytes) => onProgress?.({stage: 'download', receivedBytes, totalBytes}),
    })
    if (outcome.kind === 'complete') return
    // A body that restarts repeatedly is no progress.
    failures = part.receivedBytes > mostBytes ? 1 : failures + 1
    mostBytes = Math.max(mostBytes, part.receivedBytes)
    if (mostBytes - breaks.from >= leastPace.bytes) breaks = {count: 0, from: mostBytes}
    breaks.count++
    reached ||= outcome.reached
    const {host, reason, isTransient, status, retryAfterMs, suggestions = [], cause} = outcome.failure
    if (!isTransient || failures > retries || breaks.count > mostBreaks) {
      const count = breaks.count > mostBreaks ? breaks.count : failures
      const tries = count > 1 ? `${reason}, in the last of ${count} attempts` : reason
      throw new NetworkError(host, tries, {suggestions, status, cause})
    }
    const waitMs = waitBeforeRetry(failures, {baseMs: backoffMs, retryAfterMs, random: Math.random()})
    onProgress?.({stage: 'download-retry', waitMs, reason: `${host}: ${reason}`})
    await waitForRetry(waitMs, signal)
  }
}

export type AttemptOptions = Omit<RequestOptions, 'headers'> & {
  readonly url: URL
  readonly isDigestKnown: boolean
  readonly expectedBytes: number | undefined
  readonly maxBytes: number
  /** The pace over all attempts. */
  readonly pace: Pace
  readonly reached: boolean
  readonly onBytes: (receivedBytes: number, totalBytes: number | undefined) => void
}

export type AttemptOutcome = {readonly kind: 'complete'} | FailedTry

/** The consequence of the response headers: read the body up to `totalBytes`, or end the attempt. */
type BodyPlan = {readonly kind: 'read'; readonly totalBytes: number | undefined} | AttemptOutcome

/**
 * Requests the missing part of the body once, and appends it.
 *
 * @throws {UnexpectedSizeError}
 * @throws {NetworkError} For a permanent failure: a redirect that is refused.
 * @throws {@link downloadStorageError}
 * @throws {unknown} The reason of `signal`.
 */
async function attempt(part: PartialFile, options: AttemptOptions): Promise<AttemptOutcome> {
  let answer: HttpAnswer | undefined
  try {
    if (!part.canResume(options)) await part.restart()
    answer = await get(options.url, {...options, headers: rangeHeaders(part)})
    const plan = await planFor(answer, part)
    if (plan.kind === 'complete') refuseSize(part.receivedBytes, answer, options)
    if (plan.kind !== 'read') return plan
    refuseSize(plan.totalBytes, answer, options)
    for await (const {chunk, waitedMs} of withWaits(answer.body)) {
      refuseExcess(part.receivedBytes + chunk.length, answer, options)
      await part.append(chunk)
      options.onBytes(part.receivedBytes, plan.totalBytes)
      const slowness = options.pace.note(chunk.length, waitedMs)
      const isWhole = part.receivedBytes === plan.totalBytes
      if (slowness !== undefined && !isWhole)
        return tooSlow(part, {slowness, totalBytes: plan.totalBytes, answer})
    }
    return outcomeOfBody(part, plan.totalBytes ?? options.expectedBytes, answer)
  } catch (error) {
    return failedConnection(error, {reached: answer !== undefined, before: options.reached})
  } finally {
    answer?.close()
  }
}

function rangeHeaders(part: PartialFile): Record<string, string> {
  if (part.receivedBytes === 0) return {}
  const condition = part.validators.etag ?? part.validators.lastModified
  return {
    range: `bytes=${part.receivedBytes}-`,
    ...(condition === undefined ? {} : {'if-range': condition}),
  }
}

async function planFor(answer: HttpAnswer, part: PartialFile): Promise<BodyPlan> {
  const {status, headers} = answer
  const range = parseContentRange(headers['content-range'])
  const asked = part.receivedBytes
  if (status === 200) {
    await part.begin(strongValidators(headers))
    return {kind: 'read', totalBytes: parseLength(headers['content-length'])}
  }
  if (status === 206 && asked > 0) {
    if (range?.first === asked && !contradicts(part.validators, headers)) {
      part.resume()
      return {kind: 'read', totalBytes: range.totalBytes}
    }
    return restartPart(part, answer, 'it sent another part than the requested one')
  }
  if (status === 416 && asked > 0) {
    if (range?.totalBytes === asked) return {kind: 'complete'}
    return restartPart(part, answer, 'it no longer has the requested part')
  }
  return failedTry(failureOfAnswer(answer, new Date()), {reached: true})
}

/** Restarts without ranges: the server cannot send the rest, but perhaps the whole. */
async function restartPart(part: PartialFile, answer: HttpAnswer, reason: string): Promise<AttemptOutcome> {
  part.distrustRanges()
  await part.restart()
  return failedTry({host: answer.url.host, reason, isTransient: true}, {reached: true})
}

function outcomeOfBody(
  part: PartialFile,
  totalBytes: number | undefined,
  answer: HttpAnswer,
): AttemptOutcome {
  if (totalBytes === undefined || totalBytes === part.receivedBytes) return {kind: 'complete'}
  const reason = `it sent ${part.receivedBytes} of ${totalBytes} bytes`
  return failedTry({host: answer.url.host, reason, isTransient: true}, {reached: true})
}

/** Ends the download without a retry: each attempt would bring a few more bytes, forever. */
function tooSlow(
  {receivedBytes}: PartialFile,
  {slowness, totalBytes, answer}: {slowness: string; totalBytes: number | undefined; answer: HttpAnswer},
): AttemptOutcome {
  const whole = totalBytes === undefined ? '' : ` of ${totalBytes}`
  const suggestions = [
    'Run the command again later: the download continues where it stopped. Or use another mirror.',
  ]
  const reason = `${slowness}; ${receivedBytes}${whole} bytes were received`
  return failedTry({host: answer.url.host, reason, isTransient: false, suggestions}, {reached: true})
}

function refuseSize(totalBytes: number | undefined, {url}: HttpAnswer, options: AttemptOptions): void {
  const {expectedBytes, maxBytes} = options
  if (totalBytes === undefined) return
  if (expectedBytes !== undefined && totalBytes !== expectedBytes) {
    throw unexpectedSizeError({
      host: url.host,
      actualBytes: totalBytes,
      limit: `exactly ${expectedBytes}`,
    })
  }
  if (totalBytes > maxBytes) {
    throw unexpectedSizeError({
      host: url.host,
      actualBytes: totalBytes,
      limit: `at most ${maxBytes}`,
    })
  }
}

function refuseExcess(receivedBytes: number, {url}: HttpAnswer, options: AttemptOptions): void {
  const {expectedBytes, maxBytes} = options
  if (expectedBytes !== undefined && receivedBytes > expectedBytes) {
    throw unexpectedSizeError({
      host: url.host,
      actualBytes: receivedBytes,
      limit: `exactly ${expectedBytes}`,
    })
  }
  if (receivedBytes > maxBytes) {
    throw unexpectedSizeError({
      host: url.host,
      actualBytes: receivedBytes,
      limit: `at most ${maxBytes}`,
    })
  }
}

/** The minimum pace of a server, as curl's --speed-limit and --speed-time. */
export type LeastPace = {readonly bytes: number; readonly withinMs: number}

/** 1 KiB per second: a 2G mobile network has four. */
export const LEAST_PACE: LeastPace = {bytes: 60 * 1024, withinMs: 60_000}

/** Measures the bytes of a server and the time waited for them; the client's own time does not count. */
export type Pace = {
  /**
   * Records a chunk.
   *
   * @param waitedMs - Time waited for this chunk.
   * @returns A clause that describes a server that is too slow, else undefined.
   */
  note(bytes: number, waitedMs: number): string | undefined
}

/**
 * Starts a measurement.
 *
 * @param mostMs - Maximum that a single wait counts, because this process may have been suspended.
 */
export function openPace(least: LeastPace, {mostMs}: {readonly mostMs: number}): Pace {
  let received = 0
  let waitedMs = 0
  return {
    note(bytes, ms) {
      received += bytes
      waitedMs += Math.min(ms, mostMs)
      if (received >= least.bytes) {
        received = 0
        waitedMs = 0
        return undefined
      }
      if (waitedMs < least.withinMs) return undefined
      return `it sent only ${received} bytes in ${Math.round(waitedMs / 1000)} seconds`
    },
  }
}

/** Yields the chunks of a body, each with the time waited for it. */
export async function* withWaits(
  body: AsyncIterable<Buffer>,
): AsyncGenerator<{readonly chunk: Buffer; readonly waitedMs: number}> {
  let asked = performance.now()
  for await (const chunk of body) {
    yield {chunk, waitedMs: performance.now() - asked}
    asked = performance.now()
  }
}
