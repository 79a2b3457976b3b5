import {unexpectedSizeError} from './errors.js'
import {type FailedTry, failedConnection, failedTry, failureOfAnswer} from './failure.js'
import {contradicts, parseContentRange, parseLength, strongValidators} from './headers.js'
import {type Pace, timed} from './pace.js'
import type {PartialFile} from './partial-file.js'
import {type Answer, get, type RequestOptions} from './request.js'

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
export async function attempt(part: PartialFile, options: AttemptOptions): Promise<Outcome> {
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
  const reason = `${slowness}; ${receivedBytes}${whole} bytes have come`
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
