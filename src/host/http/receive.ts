import {attempt} from './attempt.js'
import type {Connections} from './connections.js'
import {NetworkError} from './errors.js'
import {LEAST_PACE, type LeastPace, openPace} from './pace.js'
import type {PartialFile} from './partial-file.js'
import type {Environment} from './proxy.js'
import {waitBeforeRetry, waitForRetry} from './retry.js'

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
