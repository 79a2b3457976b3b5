import {Readable} from 'node:stream'
import {didYouMean, EnvsError, ExitCode} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import type {BlobSource} from './blob-source.js'
import {type Connection, openConnection, type RegistryOptions} from './connection.js'
import {type Descriptor, isOciDigest, type OciDigest} from './descriptor.js'
import {NotInRegistryError, notInRegistryError} from './errors.js'
import {pullEndpoints, registryEndpoint} from './hosts.js'
import {listReferrers, listTags} from './lists.js'
import {askDigest, blobChunks, fetchManifest} from './pull.js'
import {hasBlob, mountBlob, pushScopes, uploadBlob, uploadManifest} from './push.js'
import {formatReference, type RegistryReference} from './reference.js'

/** A repository of a registry, whose blobs and manifests can be read and written. */
export type Repository = BlobSource & {
  readonly reference: RegistryReference
  /** The host that answered last: the registry, or its mirror. */
  readonly answeredBy: string
  /**
   * Returns the digest of a manifest without its bytes, which registries do not count as a pull; undefined if there is none.
   * The registry states it: only {@link BlobSource.manifest} verifies it.
   */
  head(which: string | undefined): Promise<OciDigest | undefined>
  hasBlob(digest: OciDigest): Promise<boolean>
  /** Returns whether the registry took the blob from another of its repositories, such as `library/debian`. */
  mountBlob(digest: OciDigest, from: string): Promise<boolean>
  /** Writes a blob. @param body - Opens its bytes; called again for each try. */
  pushBlob(descriptor: Pick<Descriptor, 'digest' | 'size'>, body: () => Readable): Promise<void>
  /** Writes a manifest, after all that it refers to, and returns its digest. */
  pushManifest(bytes: Buffer, mediaType: string, tagOrDigest: string): Promise<OciDigest>
  tags(): Promise<readonly string[]>
}

export type OpenOptions = RegistryOptions & {
  /** A push asks the registry itself, and no mirror. */
  readonly actions: 'pull' | 'pull,push'
}

/**
 * Opens a repository; the first request is sent when it is used.
 *
 * A mirror that is down, or does not have the image, is passed over; one that has other bytes than its digest says is an
 * error. A mirror never gets the credentials of the registry.
 */
export function openRegistry(reference: RegistryReference, options: OpenOptions): Repository {
  const {settings, signal, onProgress} = options
  const isPush = options.actions === 'pull,push'
  const registry = openConnection(registryEndpoint(reference, settings), options)
  const connections = isPush
    ? [registry]
    : pullEndpoints(reference, settings).map((endpoint) =>
        endpoint.isMirror ? openConnection(endpoint, options) : registry,
      )
  let answering = connections[0] ?? registry

  /** Asks the one that answered last, and then the others. */
  async function ask<T>(question: (connection: Connection) => Promise<T>): Promise<T> {
    const others = connections.filter((each) => each !== answering)
    for (const connection of [answering, ...others]) {
      try {
        const value = await question(connection)
        answering = connection
        return value
      } catch (error) {
        if (connection === (others.at(-1) ?? answering) || !isWorthAnother(error)) throw error
        tellNext(connection, error)
      }
    }
    throw new Error('a registry has no endpoint')
  }

  function tellNext({endpoint: {host}}: Connection, {message}: Error): void {
    onProgress?.({stage: 'download-retry', waitMs: 0, reason: `${host} was passed over: ${message}`})
  }

  async function* chunks(descriptor: Descriptor, range: {offset: number; signal: AbortSignal}) {
    let {offset} = range
    const order = [answering, ...connections.filter((each) => each !== answering)]
    for (const connection of order) {
      try {
        for await (const chunk of blobChunks(connection, descriptor, {...range, offset})) {
          answering = connection
          offset += chunk.length
          yield chunk
        }
        return
      } catch (error) {
        if (connection === order.at(-1) || !isWorthAnother(error)) throw error
        tellNext(connection, error)
      }
    }
  }

  const scopes = isPush ? pushScopes(registry) : undefined
  const nameOf = (which: string | undefined) => which ?? reference.digest ?? reference.tag ?? 'latest'
  return {
    reference,
    get answeredBy() {
      return answering.endpoint.host
    },
    async manifest(which) {
      const name = nameOf(which)
      try {
        return await ask((connection) => fetchManifest(connection, name, scopes))
      } catch (error) {
        if (!(error instanceof NotInRegistryError) || REFERRERS.test(name)) throw error
        throw await explainMissing(error, registry, {reference, name})
      }
    },
    async head(which) {
      try {
        return await ask((connection) => askDigest(connection, nameOf(which), scopes))
      } catch (error) {
        if (error instanceof NotInRegistryError) return undefined
        throw error
      }
    },
    async blob(descriptor, {offset = 0, signal: own}) {
      const bytes = chunks(descriptor, {offset, signal: AbortSignal.any([signal, own])})
      // A refusal is an error of this function, not of the stream.
      const first = await bytes.next()
      const stream = Readable.from(startingWith(first, bytes), {objectMode: false})
      // A generator that has not started runs no `finally`.
      stream.once('close', () => void bytes.return(undefined).catch(() => {}))
      return stream
    },
    async referrers(digest, artifactType) {
      const list = (connection: Connection) => listReferrers(connection, digest, artifactType)
      const found = await ask(list)
      // A mirror may have the image without its signatures.
      return found.length === 0 && answering.endpoint.isMirror ? list(registry) : found
    },
    hasBlob: (digest) => hasBlob(registry, digest, pushScopes(registry)),
    mountBlob: (digest, from) => mountBlob(registry, digest, from),
    pushBlob: (descriptor, body) => uploadBlob(registry, descriptor, body),
    pushManifest: (bytes, mediaType, which) => uploadManifest(registry, {bytes, mediaType, which}),
    tags: () => ask((connection) => listTags(connection)),
    async close() {},
  }
}

async function* startingWith(first: IteratorResult<Buffer, void>, rest: AsyncIterable<Buffer>) {
  if (first.done === true) return
  yield first.value
  yield* rest
}

/** Whether another server may have what one has not, or does not give. Wrong bytes are no such failure. */
function isWorthAnother(error: unknown): error is EnvsError {
  if (!(error instanceof EnvsError)) return false
  return error.exitCode === ExitCode.network || error.exitCode === ExitCode.notFound
}

/** Tags that stand for the signatures of a digest: that there are none is no surprise. */
const REFERRERS = /^sha256-[0-9a-f]{64}/

type Missing = {readonly reference: RegistryReference; readonly name: string}

/** Pages of tags that are read for a suggestion: official images have thousands of tags. */
const SUGGESTION_PAGES = 2

/** Tells a missing repository from a missing tag, and names tags that are alike. */
async function explainMissing(
  error: NotInRegistryError,
  registry: Connection,
  {reference, name}: Missing,
): Promise<EnvsError> {
  const {host, repository} = reference
  let tags: readonly string[]
  try {
    tags = await listTags(registry, {mostPages: SUGGESTION_PAGES})
  } catch (cause) {
    if (!(cause instanceof EnvsError)) throw cause
    if (!(cause instanceof NotInRegistryError)) return error
    return notInRegistryError({what: `repository "${repository}"`, place: host}, {cause: error})
  }
  if (isOciDigest(name)) return error
  const alike = nearestNames(name, tags).map((tag) => formatReference({...reference, tag, digest: undefined}))
  return notInRegistryError(
    {what: `tag "${name}"`, place: `${host}/${repository}`},
    {cause: error, ...(alike.length === 0 ? {} : {suggestions: didYouMean(alike)})},
  )
}
