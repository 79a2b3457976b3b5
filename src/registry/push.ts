import type {Readable} from 'node:stream'
import {digestMismatchError} from '../host/errors.js'
import {type FailedTry, failedTry} from '../host/http/retry.js'
import type {Connection, RegistryAnswer} from './connection.js'
import {type Descriptor, isOciDigest, type OciDigest, ociDigestOf} from './descriptor.js'
import {registryUnreachableError} from './errors.js'
import {refusalOf, type Subject} from './refusals.js'

/** Scopes of a token to write a repository. */
export function pushScopes({endpoint: {repository}}: Connection): readonly string[] {
  return [`repository:${repository}:pull,push`]
}

/** A registry reads a large blob again before it answers. */
const UPLOAD_ANSWER_MS = 300_000

/** Whether the repository has a blob. @throws {@link refusalOf} */
export async function hasBlob(
  connection: Connection,
  digest: OciDigest,
  scopes: readonly string[],
): Promise<boolean> {
  const answer = await connection.call({
    method: 'HEAD',
    to: `${connection.endpoint.repository}/blobs/${digest}`,
    scopes,
  })
  if (answer.status === 404) return false
  if (answer.status === 200) return true
  throw refusalOf(answer, {what: `blob ${digest}`}, connection)
}

/**
 * Asks the registry to take a blob from another of its repositories.
 *
 * @returns false if it does not: because it does not have the blob there, or because the user may not read it.
 * @throws {@link refusalOf}
 */
export async function mountBlob(connection: Connection, digest: OciDigest, from: string): Promise<boolean> {
  const scopes = [...pushScopes(connection), `repository:${from}:pull`]
  const query = new URLSearchParams({mount: digest, from}).toString()
  const answer = await connection.call({
    method: 'POST',
    to: `${connection.endpoint.repository}/blobs/uploads/?${query}`,
    scopes,
  })
  if (answer.status === 201) return true
  if (answer.status !== 202) throw refusalOf(answer, toWrite(digest), connection)
  // The registry began an upload instead, which it would keep for days.
  await connection.call({method: 'DELETE', to: uploadUrl(answer, connection), scopes})
  return false
}

/**
 * Uploads a blob; the registry checks its digest. A broken upload starts again from its beginning.
 *
 * @param body - Opens the bytes; called for each try.
 * @throws {@link refusalOf} @throws {RegistryUnreachableError} @throws {unknown} An error of the body.
 */
export async function uploadBlob(
  connection: Connection,
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  body: () => Readable,
): Promise<void> {
  const tries = connection.openTries()
  for (let upload: Upload = uploadWhole; ; ) {
    const begun = await beginUpload(connection, descriptor.digest)
    const outcome = await upload(connection, {...descriptor, begun, body}).catch((error: unknown) =>
      tries.failureOf(error, {reached: true}),
    )
    if (outcome.kind === 'failed') {
      await tries.fail(outcome)
      continue
    }
    const {status} = outcome.answer
    if (status === 201) return
    if (status === TOO_LARGE && upload !== uploadInChunks) upload = uploadInChunks
    else if (!AGAIN.has(status)) throw refusalOf(outcome.answer, toWrite(descriptor.digest), connection)
    else await tries.fail(failedUpload(outcome.answer))
  }
}

/** RFC 9110, section 15.5.14: a proxy before the registry takes no body of this size. */
const TOO_LARGE = 413

/** Statuses after which another upload may succeed: the registry is busy, or has lost this one. */
const AGAIN: ReadonlySet<number> = new Set([404, 408, 416, 429, 500, 502, 503, 504])

function failedUpload({status, url}: RegistryAnswer): FailedTry {
  const reason = `it answered an upload with status ${status}`
  return failedTry({host: url.host, reason, isTransient: true, status}, {reached: true})
}

async function beginUpload(connection: Connection, digest: OciDigest): Promise<RegistryAnswer> {
  const begun = await connection.call({
    method: 'POST',
    to: `${connection.endpoint.repository}/blobs/uploads/`,
    scopes: pushScopes(connection),
  })
  if (begun.status !== 202) throw refusalOf(begun, toWrite(digest), connection)
  return begun
}

type Uploaded = Pick<Descriptor, 'digest' | 'size'> & {
  readonly begun: RegistryAnswer
  readonly body: () => Readable
}

type Upload = (connection: Connection, uploaded: Uploaded) => ReturnType<Connection['callOnce']>

const BYTES = {'content-type': 'application/octet-stream'}

const uploadWhole: Upload = (connection, {digest, size, begun, body}) =>
  connection.callOnce({
    method: 'PUT',
    to: withDigest(uploadUrl(begun, connection), digest),
    headers: {...BYTES, 'content-length': String(size)},
    body,
    scopes: pushScopes(connection),
    headMs: UPLOAD_ANSWER_MS,
  })

/** Below the limits of proxies that have one, which are rarely under 10 MB. */
const CHUNK_BYTES = 8 * 1024 * 1024
/** A chunk is held in memory, and the registry says how long it must be at least. */
const MOST_CHUNK_BYTES = 64 * 1024 * 1024

const uploadInChunks: Upload = async (connection, {digest, begun, body}) => {
  const scopes = pushScopes(connection)
  const least = Number(begun.headers['oci-chunk-min-length'] ?? 0)
  let url = uploadUrl(begun, connection)
  let sent = 0
  if (!(least <= MOST_CHUNK_BYTES))
    throw registryUnreachableError({
      host: connection.endpoint.host,
      reason: `it asks for chunks of at least ${least} bytes, and envs sends at most ${MOST_CHUNK_BYTES}`,
    })
  for await (const chunk of inChunks(body(), Math.max(CHUNK_BYTES, least))) {
    const outcome = await connection.callOnce({
      method: 'PATCH',
      to: url,
      headers: {...BYTES, 'content-range': `${sent}-${sent + chunk.length - 1}`},
      body: () => chunk,
      scopes,
      headMs: UPLOAD_ANSWER_MS,
    })
    if (outcome.kind === 'failed' || outcome.answer.status !== 202) return outcome
    url = uploadUrl(outcome.answer, connection)
    sent += chunk.length
  }
  return connection.callOnce({
    method: 'PUT',
    to: withDigest(url, digest),
    scopes,
    headMs: UPLOAD_ANSWER_MS,
  })
}

async function* inChunks(body: Readable, bytes: number): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = []
  let held = 0
  for await (const piece of body) {
    pieces.push(Buffer.from(piece))
    held += piece.length
    if (held < bytes) continue
    yield Buffer.concat(pieces)
    pieces = []
    held = 0
  }
  if (held > 0) yield Buffer.concat(pieces)
}

/**
 * Returns where to send an upload: relative, or at another host, whose URL is its own proof of identity.
 *
 * @throws {@link refusalOf}
 */
function uploadUrl({headers, url}: RegistryAnswer, {endpoint}: Connection): URL {
  const location = String(headers['location'] ?? '')
  const refuse = (reason: string) => registryUnreachableError({host: endpoint.host, reason})
  if (location === '' || !URL.canParse(location, url.href)) throw refuse('it names no place for an upload')
  const to = new URL(location, url)
  // A registry behind a proxy that speaks TLS for it names itself with its own scheme.
  if (url.protocol === 'https:' && to.protocol === 'http:' && to.hostname === url.hostname) {
    to.protocol = 'https:'
    to.port = url.port
  }
  if (to.protocol !== url.protocol && to.protocol !== 'https:')
    throw refuse(`it leads an upload from ${url.protocol} to ${to.protocol}`)
  return to
}

/** Adds the digest to a query, whose own part must stay as the registry wrote it. */
function withDigest(url: URL, digest: OciDigest): URL {
  return new URL(`${url.href}${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`)
}

function toWrite(digest: string): Subject {
  return {what: `blob ${digest}`, action: 'to write'}
}

/**
 * Writes a manifest under a tag or its digest, after all that it refers to.
 *
 * @throws {DigestMismatchError} If the registry states another digest. @throws {@link refusalOf}
 */
export async function uploadManifest(
  connection: Connection,
  {bytes, mediaType, which}: {readonly bytes: Buffer; readonly mediaType: string; readonly which: string},
): Promise<OciDigest> {
  const {host, repository} = connection.endpoint
  const digest = ociDigestOf(bytes)
  const answer = await connection.call({
    method: 'PUT',
    to: `${repository}/manifests/${which}`,
    headers: {'content-type': mediaType},
    body: () => bytes,
    scopes: pushScopes(connection),
  })
  if (answer.status !== 201)
    throw refusalOf(answer, {what: `manifest ${which}`, action: 'to write'}, connection)
  const stated = String(answer.headers['docker-content-digest'] ?? '')
  if (isOciDigest(stated) && stated !== digest)
    throw digestMismatchError({source: `${host}/${repository}`, expected: digest, actual: stated})
  return digest
}
