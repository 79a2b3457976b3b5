import {digestMismatchError} from '../host/errors.js'
import {withWaits} from '../host/http/attempt.js'
import type {HttpAnswer} from '../host/http/client.js'
import {unexpectedSizeError} from '../host/http/errors.js'
import {parseContentRange, parseLength} from '../host/http/part.js'
import {type FailedTry, failedTry} from '../host/http/retry.js'
import type {FetchedManifest} from './blob-source.js'
import type {Connection} from './connection.js'
import {type Descriptor, isOciDigest, type OciDigest, ociDigestOf} from './descriptor.js'
import {MEDIA_TYPES} from './manifest.js'
import {refusalOf, type Subject} from './refusals.js'

/** Scopes of a token to read a repository. */
export function pullScopes({endpoint: {repository}}: Connection): readonly string[] {
  return [`repository:${repository}:pull`]
}

const ACCEPT = [...MEDIA_TYPES.image, ...MEDIA_TYPES.index].join(', ')

/**
 * Fetches a manifest.
 *
 * @param which - A tag or a digest.
 * @throws {DigestMismatchError} If the bytes are others than those of the digest. @throws {@link refusalOf}
 */
export async function fetchManifest(
  connection: Connection,
  which: string,
  scopes = pullScopes(connection),
): Promise<FetchedManifest> {
  const {repository, host} = connection.endpoint
  const answer = await connection.call({
    to: `${repository}/manifests/${which}`,
    headers: {accept: ACCEPT},
    scopes,
  })
  if (answer.status !== 200) throw refusalOf(answer, subjectOf(which), connection)
  // The header Docker-Content-Digest is no proof.
  const digest = ociDigestOf(answer.body)
  if (isOciDigest(which) && digest !== which)
    throw digestMismatchError({source: `${host}/${repository}`, expected: which, actual: digest})
  return {bytes: answer.body, mediaType: answer.headers['content-type'], digest}
}

/** Returns the digest that a registry states for a manifest; undefined if it states none. @throws {@link refusalOf} */
export async function askDigest(
  connection: Connection,
  which: string,
  scopes = pullScopes(connection),
): Promise<OciDigest | undefined> {
  const answer = await connection.call({
    method: 'HEAD',
    to: `${connection.endpoint.repository}/manifests/${which}`,
    headers: {accept: ACCEPT},
    scopes,
  })
  if (answer.status !== 200) throw refusalOf(answer, subjectOf(which), connection)
  const stated = String(answer.headers['docker-content-digest'] ?? '')
  return isOciDigest(stated) ? stated : undefined
}

function subjectOf(which: string): Subject {
  return {what: isOciDigest(which) ? `manifest ${which}` : `tag "${which}"`}
}

export type BlobRange = {readonly offset: number; readonly signal: AbortSignal}

/** Times that a connection may break, if each time brings some bytes. */
const MOST_BREAKS = 50

/**
 * Yields the bytes of a blob from an offset. A connection that breaks is continued where it broke: the bytes of a digest
 * never change.
 *
 * @throws {UnexpectedSizeError} If the server has another number of bytes.
 * @throws {@link refusalOf} @throws {RegistryUnreachableError}
 */
export async function* blobChunks(
  connection: Connection,
  descriptor: Descriptor,
  {offset, signal}: BlobRange,
): AsyncGenerator<Buffer, void, undefined> {
  const {size} = descriptor
  const tries = connection.openTries(signal)
  const pace = connection.openPace()
  let received = offset
  for (let breaks = 0; received < size; breaks++) {
    let answer: HttpAnswer | undefined
    let failure: FailedTry
    try {
      answer = await openRange(connection, descriptor, {offset: received, signal})
      let skip = answer.status === 206 ? 0 : received
      let slowness: string | undefined
      for await (const {chunk, waitedMs} of withWaits(answer.body)) {
        const rest = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - rest.length
        received += rest.length
        if (received > size) throw wrongSize(answer, received, size)
        if (rest.length > 0) {
          tries.succeed()
          yield rest
        }
        slowness = pace.note(chunk.length, waitedMs)
        if (slowness !== undefined && received < size) break
      }
      if (received === size) return
      const reason = slowness ?? `it sent ${received} of ${size} bytes`
      failure = failedTry(
        {host: answer.url.host, reason, isTransient: slowness === undefined && breaks < MOST_BREAKS},
        {reached: true},
      )
    } catch (error) {
      failure = tries.failureOf(error, {reached: answer !== undefined})
    } finally {
      answer?.close()
    }
    await tries.fail(failure)
  }
}

/** Requests the rest of a blob. @throws {ConnectionError} @throws {UnexpectedSizeError} @throws {@link refusalOf} */
async function openRange(
  connection: Connection,
  {digest, size}: Descriptor,
  {offset, signal}: BlobRange,
): Promise<HttpAnswer> {
  const answer = await connection.openPatiently({
    to: `${connection.endpoint.repository}/blobs/${digest}`,
    scopes: pullScopes(connection),
    signal,
    ...(offset === 0 ? {} : {headers: {range: `bytes=${offset}-`}}),
  })
  try {
    const {status, headers} = answer
    const range = parseContentRange(headers['content-range'])
    if (status !== 200 && !(status === 206 && offset > 0 && range?.first === offset))
      throw refusalOf({status, headers, body: Buffer.alloc(0)}, {what: `blob ${digest}`}, connection)
    const total = status === 206 ? range?.totalBytes : parseLength(headers['content-length'])
    if (total !== undefined && total !== size) throw wrongSize(answer, total, size)
    return answer
  } catch (error) {
    answer.close()
    throw error
  }
}

function wrongSize({url}: HttpAnswer, actualBytes: number, size: number): Error {
  return unexpectedSizeError({host: url.host, actualBytes, limit: `exactly ${size}`})
}
