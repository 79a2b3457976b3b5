import {type Answer, type Connections, type Environment, get, type RequestOptions} from './client.js'
import {NetworkError, unexpectedSizeError} from './errors.js'
import {contradicts, type PartialFile, parseContentRange, parseLength, strongValidators} from './part.js'
import {
  type FailedTry,
  failedConnection,
  failedTry,
  failureOfAnswer,
  waitBeforeRetry,
  waitForRetry,
} from './retry.js'

/** What a download tells while it runs. */
export type DownloadEvent =
  | {readonly stage: 'download'; readonly receivedBytes: number; readonly totalBytes: number | undefined}
  | {readonly stage: 'download-retry'; readonly waitMs: number; readonly reason: string}
  /** Another process downloads the same file. */
  | {readonly stage: 'download-wait'}

export type ReceiveOptions = {
  readonly url: URL
  /** Where proxies and certificate authorities are named. */
  readonly environment: Environment
  readonly maxBytes: number
  readonly expectedBytes?: number | undefined
  /** Those of other downloads, to be used again; without them each has its own. */
  readonly connections?: Connections | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined
  /** How many tries in a row may fail without a byte more than ever before, after the first. */
  readonly retries?: number
  /** The wait after the first failure; doubled with each that follows. */
  readonly backoffMs?: number
  /** The longest silence before the head of an answer. */
  readonly headMs?: number
  /** The longest silence within a body. */
  readonly idleMs?: number
  /** How slow a server may be. */
  readonly leastPace?: LeastPace
  /** How many tries may fail until as much has come as {@link leastPace} wants, even if each brings some bytes. */
  readonly mostBreaks?: number
}

/**
 * Brings `part` to its end, with as many tries as that takes.
 *
 * @throws {NetworkError} When tries in a row brought nothing, or one failed for good.
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
    // A body that starts over and over again is no progress, however often it does.
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
  /** Of all tries together. */
  readonly pace: Pace
  readonly reached: boolean
  readonly onBytes: (receivedBytes: number, totalBytes: number | undefined) => void
}

export type Outcome = {readonly kind: 'complete'} | FailedTry

/** What an answer's head means for the part: read the body up to `totalBytes`, or be done with it. */
type Plan = {readonly kind: 'read'; readonly totalBytes: number | undefined} | Outcome

/**
 * Asks once for what is missing of the body and appends what comes.
 *
 * @throws {UnexpectedSizeError}
 * @throws {NetworkError} For what another try can't mend: a redirect that is refused.
 * @throws {@link downloadStorageError}
 * @throws {unknown} The reason of `signal`.
 */
async function attempt(part: PartialFile, options: AttemptOptions): Promise<Outcome> {
  let answer: Answer | undefined
  try {
    if (!part.canResume(options)) await part.restart()
    answer = await get(options.url, {...options, headers: rangeHeaders(part)})
    const plan = await planFor(answer, part)
    if (plan.kind === 'complete') refuseSize(part.receivedBytes, answer, options)
    if (plan.kind !== 'read') return plan
    refuseSize(plan.totalBytes, answer, options)
    for await (const {chunk, waitedMs} of timed(answer.body)) {
      refuseExcess(part.receivedBytes + chunk.length, answer, options)
      await part.append(chunk)
      options.onBytes(part.receivedBytes, plan.totalBytes)
      const slowness = options.pace.note(chunk.length, waitedMs)
      const isWhole = part.receivedBytes === plan.totalBytes
      if (slowness !== undefined && !isWhole)
        return tooSlow(part, {slowness, totalBytes: plan.totalBytes, answer})
    }
    return settle(part, plan.totalBytes ?? options.expectedBytes, answer)
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

async function planFor(answer: Answer, part: PartialFile): Promise<Plan> {
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
    return startOver(part, answer, 'it sent another part than the requested one')
  }
  if (status === 416 && asked > 0) {
    if (range?.totalBytes === asked) return {kind: 'complete'}
    return startOver(part, answer, 'it no longer has the requested part')
  }
  return failedTry(failureOfAnswer(answer, new Date()), {reached: true})
}

/** The rest can't be had from this server, the whole perhaps can. */
async function startOver(part: PartialFile, answer: Answer, reason: string): Promise<Outcome> {
  part.distrustRanges()
  await part.restart()
  return failedTry({host: answer.url.host, reason, isTransient: true}, {reached: true})
}

function settle(part: PartialFile, totalBytes: number | undefined, answer: Answer): Outcome {
  if (totalBytes === undefined || totalBytes === part.receivedBytes) return {kind: 'complete'}
  const reason = `it sent ${part.receivedBytes} of ${totalBytes} bytes`
  return failedTry({host: answer.url.host, reason, isTransient: true}, {reached: true})
}

/** Not tried again: each try would bring a few bytes more, for as long as anybody waits. */
function tooSlow(
  {receivedBytes}: PartialFile,
  {slowness, totalBytes, answer}: {slowness: string; totalBytes: number | undefined; answer: Answer},
): Outcome {
  const whole = totalBytes === undefined ? '' : ` of ${totalBytes}`
  const suggestions = [
    'Run the command again later: the download continues where it stopped. Or use another mirror.',
  ]
  const reason = `${slowness}; ${receivedBytes}${whole} bytes were received`
  return failedTry({host: answer.url.host, reason, isTransient: false, suggestions}, {reached: true})
}

function refuseSize(totalBytes: number | undefined, {url}: Answer, options: AttemptOptions): void {
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

function refuseExcess(receivedBytes: number, {url}: Answer, options: AttemptOptions): void {
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

/** The least that a server has to send, as curl's --speed-limit and --speed-time have it. */
export type LeastPace = {readonly bytes: number; readonly withinMs: number}

/** 1 KiB a second: a mobile network of the second generation has four. */
export const LEAST_PACE: LeastPace = {bytes: 60 * 1024, withinMs: 60_000}

/** Counts what a server sends, and how long it lets its client wait; what the client does meanwhile is not its time. */
export type Pace = {
  /**
   * @param waitedMs - How long this piece was waited for.
   * @returns What the server does, in half a sentence, when it is too slow.
   */
  note(bytes: number, waitedMs: number): string | undefined
}

/** @param mostMs - What counts of a single wait: this process, too, may have stood still. */
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

/** The pieces of a body, each with how long it was waited for. */
export async function* timed(
  body: AsyncIterable<Buffer>,
): AsyncGenerator<{readonly chunk: Buffer; readonly waitedMs: number}> {
  let asked = performance.now()
  for await (const chunk of body) {
    yield {chunk, waitedMs: performance.now() - asked}
    asked = performance.now()
  }
}
