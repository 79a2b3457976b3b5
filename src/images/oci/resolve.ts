import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {EnvsError, ExitCode} from '../../errors.js'
import type {Sha256} from '../../host/digest.js'
import {ignoring} from '../../host/errno.js'
import {isOffline} from '../../host/http/proxy.js'
import type {BlobSource} from '../../registry/blob-source.js'
import type {Repository} from '../../registry/client.js'
import {ociDigestOf} from '../../registry/descriptor.js'
import type {RegistryReference} from '../../registry/reference.js'
import {type KnownSignature, parseEvidence} from '../../registry/trust/evidence.js'
import type {ContainerReference} from '../name.js'
import type {ResolvedImage} from '../resolved-image.js'
import type {ImageContext} from '../sources/source.js'
import {type ContainerImage, resolveContainer} from './container-image.js'
import {EVIDENCE, type KeptContainer, listContainers} from './kept.js'
import {formatLocation, openLocal} from './location.js'
import {planVerification, verifyContainer} from './signature.js'

type Source = BlobSource & {readonly answeredBy?: string}

type ContainerOptions = {
  /** The folder of cached images. */
  readonly images: string
  readonly context: ImageContext
  /** The image that the reference meant when its registry was last asked, within a day. */
  readonly recent: Sha256 | undefined
  /** Whether only the newest image will do; then a cached one is no fallback. */
  readonly isNewest: boolean
}

export type ResolvedContainer = {
  readonly image: ResolvedImage
  /** Whether its manifest was in the cache. */
  readonly wasKept: boolean
}

/**
 * Resolves the reference of an image of containers. A registry is asked for the digest alone first, which it does not count as a
 * pull, and not at all within a day, with --offline, or if the reference has a digest. A cached image is used if the registry does not answer.
 *
 * @throws As `resolveContainer` and `openRegistry`.
 */
export async function resolveContainerReference(
  reference: ContainerReference,
  options: ContainerOptions,
): Promise<ResolvedContainer> {
  const {location} = reference
  const {context, isNewest} = options
  if (location.kind !== 'registry') return fetched(reference, context)
  const kept = await findKept(reference, options)
  if (kept === undefined) return fetched(reference, context)
  const registry = await openRepository(location.reference, context)
  const isEnough = options.recent === kept.sha256 || isOffline(context.environment)
  if (location.reference.digest !== undefined || isEnough)
    return fromKept(reference, {kept, registry, context})
  try {
    const newest = await registry.head(location.reference.tag)
    if (newest === (kept.origin.index ?? kept.origin.manifest))
      return await fromKept(reference, {kept, registry, context})
    return {image: await resolved(reference, registry, {context}), wasKept: false}
  } catch (error) {
    if (isNewest || !(error instanceof EnvsError) || error.exitCode !== ExitCode.network) throw error
    const {fetchedAt, origin} = kept
    context.onNotice?.({
      kind: 'registry-unreachable',
      name: origin.reference,
      fetchedAt,
      reason: error.message,
    })
    return fromKept(reference, {kept, registry, context})
  }
}

async function fetched(reference: ContainerReference, context: ImageContext): Promise<ResolvedContainer> {
  return {image: await fetchContainer(reference, context), wasKept: false}
}

/** Resolves a reference at its origin, whatever is cached. @throws As `resolveContainer` and `openRegistry`. */
export async function fetchContainer(
  reference: ContainerReference,
  context: ImageContext,
): Promise<ResolvedImage> {
  const {location} = reference
  const source: Source =
    location.kind === 'registry'
      ? await openRepository(location.reference, context)
      : await openLocal(location, context)
  return resolved(reference, source, {context})
}

type ResolveContainerOptions = {
  readonly context: ImageContext
  /** Has the signatures. Default: the source of the image. */
  readonly signatures?: BlobSource
  /** Signatures that are kept with the image. */
  readonly known?: readonly KnownSignature[]
}

async function resolved(
  {location, architecture}: ContainerReference,
  source: Source,
  {context, signatures = source, known = []}: ResolveContainerOptions,
): Promise<ResolvedImage> {
  const {signal = new AbortController().signal} = context
  try {
    const plan = await planVerification(location, context)
    const image = await resolveContainer(location, source, {architecture, signal})
    const verified = await verifyContainer(image, signatures, {plan, known, signal})
    return asResolved({...image, ...verified}, source)
  } catch (error) {
    await source.close()
    throw error
  }
}

function asResolved(image: ContainerImage, source: BlobSource): ResolvedImage {
  return {
    source: 'oci',
    digest: image.digest,
    trust: {kind: image.trust === 'signed' ? 'signature' : image.trust},
    content: {kind: 'container', image, source},
    label: undefined,
  }
}

async function openRepository(reference: RegistryReference, context: ImageContext): Promise<Repository> {
  const {registries, signal = new AbortController().signal, backoffMs} = context
  if (registries === undefined) throw new Error('this command asks no registry')
  const {openRegistry} = await import('../../registry/client.js')
  const patience = backoffMs === undefined ? {} : {backoffMs}
  return openRegistry(reference, {...registries, ...patience, signal, actions: 'pull'})
}

async function findKept(
  {location, architecture}: ContainerReference,
  {images}: ContainerOptions,
): Promise<KeptContainer | undefined> {
  if (location.kind !== 'registry') return undefined
  const {digest} = location.reference
  const name = formatLocation(location)
  return (await listContainers(images)).find(
    ({origin, architecture: own}) =>
      own === architecture &&
      (digest === undefined ? origin.reference === name : [origin.index, origin.manifest].includes(digest)),
  )
}

/** Reads an image from its evidence, whose digests are compared again; the registry has its layers. */
async function fromKept(
  reference: ContainerReference,
  {kept, registry, context}: {kept: KeptContainer; registry: Repository; context: ImageContext},
): Promise<ResolvedContainer> {
  const {origin} = kept
  const documents = await readEvidence(kept)
  const digest = origin.index ?? origin.manifest
  const top = documents.get(digest)
  // Damaged evidence is fetched again.
  if (top === undefined) return fetched(reference, context)
  const source: Source = {
    ...(origin.registry === null ? {} : {answeredBy: origin.registry}),
    async manifest(which) {
      if (which !== origin.manifest) return {bytes: top, mediaType: undefined, digest}
      const bytes = documents.get(which)
      return bytes === undefined ? registry.manifest(which) : {bytes, mediaType: undefined, digest: which}
    },
    async blob(descriptor, options) {
      const bytes = documents.get(descriptor.digest)
      return bytes === undefined ? registry.blob(descriptor, options) : Readable.from([bytes])
    },
    referrers: (digest, type) => registry.referrers(digest, type),
    close: () => registry.close(),
  }
  const known = await readKnownSignatures(kept)
  const image = await resolved(reference, source, {context, signatures: registry, known})
  return {image, wasKept: true}
}

async function readKnownSignatures({evidence}: KeptContainer): Promise<readonly KnownSignature[]> {
  const bytes = await readFile(join(evidence, EVIDENCE.signature)).catch(ignoring())
  return bytes === undefined ? [] : parseEvidence(bytes)
}

async function readEvidence({evidence}: KeptContainer): Promise<ReadonlyMap<string, Buffer>> {
  const documents = new Map<string, Buffer>()
  for (const name of Object.values(EVIDENCE)) {
    const bytes = await readFile(join(evidence, name)).catch(ignoring())
    if (bytes !== undefined) documents.set(ociDigestOf(bytes), bytes)
  }
  return documents
}
