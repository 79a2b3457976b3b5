import {EnvsError, ExitCode} from '../errors.js'
import type {Sha256} from '../host/digest.js'
import {isErrno} from '../host/errno.js'
import {digestMismatchError} from '../host/errors.js'
import {redactUrl} from '../host/http/client.js'
import {NetworkError} from '../host/http/errors.js'
import {isOffline} from '../host/http/proxy.js'
import {findKept, type KeptImage, readEvidence} from './cache/cache.js'
import {imageRecordUnreadableError} from './cache/errors.js'
import {describeEnd, movedRelease, readCatalogue} from './catalog/catalog.js'
import {type ImageQuery, type ImageReference, imageName, type NamedReference} from './name.js'
import type {ContainerContent, ResolvedImage} from './resolved-image.js'
import {reverify} from './reverify.js'
import {imageNotPublishedError, sourcesUnreachableError} from './sources/errors.js'
import {SOURCES} from './sources/index.js'
import type {ImageContext, ImageSource} from './sources/source.js'

/** A cached image that a reference resolves to; `reason` says why its publisher did not provide one. */
export type KeptResolution = {
  readonly kind: 'kept'
  readonly image: KeptImage
  readonly reason: string
}

/** The current meaning of a reference. */
export type Resolution = {readonly kind: 'found'; readonly image: ResolvedImage} | KeptResolution

type ResolveOptions = {
  /** The folder of cached images. */
  readonly images: string
  readonly context: ImageContext
  /** The required digest. */
  readonly sha256?: Sha256 | undefined
  /** Whether the newest image is required; then there is no fallback to a cached image. */
  readonly isNewest?: boolean | undefined
}

const UNASKED = 'No server was asked, because of --offline.'

/** Time-out of a lookup when a cached image is available. */
const LOOKUP_TIMEOUT_MS = 8000

/**
 * Resolves a reference. Falls back to a cached image, verified again, if the sources are unreachable, no longer
 * have it, or must not be asked. There is no fallback from an untrusted listing.
 *
 * @throws {DigestMismatchError} @throws As `findImage` and `reverify`.
 */
export async function resolveImage(reference: ImageReference, options: ResolveOptions): Promise<Resolution> {
  const {context, images, sha256, isNewest = false} = options
  const offline = isOffline(context.environment)
  const kept =
    reference.kind === 'name' && (!isNewest || offline) ? await findKept(images, reference.query) : undefined
  if (reference.kind !== 'name' || kept === undefined)
    return resolutionOf(await findImage(reference, context), sha256)
  const published = offline ? UNASKED : await findImageOrReason(reference, options)
  if (typeof published !== 'string') return resolutionOf(published, sha256)
  await verifyAgain(kept, {images, context})
  requireDigest(sha256, {name: kept.name, digest: kept.sha256})
  return {kind: 'kept', image: kept, reason: published}
}

/** @returns The image, or the reason why the fallback is allowed. */
async function findImageOrReason(
  reference: NamedReference,
  {context}: ResolveOptions,
): Promise<ResolvedImage | string> {
  const patience = AbortSignal.timeout(LOOKUP_TIMEOUT_MS)
  const signal = context.signal === undefined ? patience : AbortSignal.any([context.signal, patience])
  try {
    return await findImage(reference, {...context, signal})
  } catch (error) {
    context.signal?.throwIfAborted()
    const reason = patience.aborted
      ? `There was no answer in ${LOOKUP_TIMEOUT_MS / 1000} seconds.`
      : absenceOf(error)
    if (reason === undefined) throw error
    return reason
  }
}

/** Checks the resolved image against the digest of the user, which also vouches for an image without one. */
export function resolutionOf(image: ResolvedImage, sha256: Sha256 | undefined): Resolution {
  const {digest, label, source} = image
  if (sha256 !== undefined && digest === undefined)
    return {kind: 'found', image: {...image, digest: sha256, trust: {kind: 'digest'}}}
  if (sha256 !== undefined && image.content.kind === 'container') return vouched(image, image.content, sha256)
  requireDigest(sha256, {name: label?.name ?? source, digest})
  return {kind: 'found', image}
}

/** The user may give the digest of the manifest, or of the list of platforms. */
function vouched(image: ResolvedImage, content: ContainerContent, sha256: Sha256): Resolution {
  const {name, index} = content.image
  if (index?.digest !== `sha256:${sha256}`) requireDigest(sha256, {name, digest: image.digest})
  // A signature says more than the digest.
  if (content.image.trust === 'signed') return {kind: 'found', image}
  const trusted = {...content, image: {...content.image, trust: 'digest' as const}}
  return {kind: 'found', image: {...image, trust: {kind: 'digest'}, content: trusted}}
}

/** @throws {DigestMismatchError} */
export function requireDigest(
  wanted: Sha256 | undefined,
  {name, digest}: {name: string; digest: Sha256 | undefined},
): void {
  if (wanted !== undefined && digest !== undefined && wanted !== digest)
    throw digestMismatchError({source: name, expected: wanted, actual: digest})
}

/** Returns why the publishers have no image; undefined for an error that allows no fallback. */
function absenceOf(error: unknown): string | undefined {
  if (!(error instanceof EnvsError)) return undefined
  return error.exitCode === ExitCode.network || error.exitCode === ExitCode.notFound
    ? error.message
    : undefined
}

async function verifyAgain(
  kept: KeptImage,
  {images, context}: {images: string; context: ImageContext},
): Promise<void> {
  const evidence = await readEvidence(images, kept).catch((error: unknown) => {
    if (!isErrno(error)) throw error
    throw imageRecordUnreadableError(
      {path: kept.path, reason: 'its listing and signature are missing'},
      {cause: error},
    )
  })
  const {keyrings, now, allowSha1 = false} = context
  await reverify({...kept, url: new URL(kept.url), evidence}, {keyrings, now, allowSha1})
}

/** A source that did not answer. */
export type Unreachable = {
  readonly source: string
  /** Its URL, without secrets. */
  readonly mirror: string
  readonly reason: string
}

/**
 * Resolves a reference with the sources that match, in their order, until one has the image.
 *
 * @throws {@link imageNotPublishedError} If all of them answered, and none has the image.
 * @throws {@link sourcesUnreachableError} If some did not answer, and none of the others has the image.
 * @throws {EnvsError} With exit code 6 if a listing is not trusted: no other source is asked then.
 */
export async function findImage(reference: ImageReference, context: ImageContext): Promise<ResolvedImage> {
  const sources = SOURCES.filter((source) => source.matches(reference))
  const failures: (Unreachable & {readonly error: NetworkError})[] = []
  for (const source of sources) {
    try {
      const image = await source.resolve(reference, context)
      if (image !== undefined) return image
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      failures.push({...unreachable(source, error, context), error})
      context.onNotice?.({kind: 'source-unreachable', ...unreachable(source, error, context)})
    }
  }
  if (reference.kind !== 'name') throw new Error(`no source reads references of the kind ${reference.kind}`)
  const {query} = reference
  const name = imageName(query)
  if (failures.length > 0) {
    const suggestions = [...new Set(failures.flatMap(({error}) => error.suggestions))]
    const tried = failures.map(({mirror, reason}) => `${mirror} (${reason})`).join('; ')
    const hints = [...(await endHints(query, context.now)), ...suggestions]
    throw sourcesUnreachableError({name, tried}, {hints, cause: failures[0]?.error})
  }
  const asked = sources.map((source) => shownMirror(source, context))
  const {architecture, suite} = query
  const reason =
    asked.length === 0 ? 'no source of envs has such images' : `envs looked at ${asked.join(', ')}`
  throw imageNotPublishedError(
    {name, architecture, reason, suite},
    {hints: await endHints(query, context.now)},
  )
}

/** Returns next steps for a release that is over: its publisher has removed its images, and keeps its packages. */
async function endHints(query: ImageQuery, now: Date): Promise<string[]> {
  const release = query.source === undefined ? movedRelease(query, await readCatalogue(), now) : undefined
  if (release === undefined) return []
  return [
    `${describeEnd(release)}: Ubuntu removed its images, and keeps its packages at old-releases.ubuntu.com.`,
    `To make an image of those packages: envs create ${release.codename}/archive`,
  ]
}

/** Describes a source that did not answer. */
export function unreachable(source: ImageSource, {reason}: NetworkError, context: ImageContext): Unreachable {
  return {source: source.id, mirror: shownMirror(source, context), reason}
}

function shownMirror(source: ImageSource, context: ImageContext): string {
  const mirror = source.mirror?.(context)
  return mirror === undefined ? source.id : redactUrl(new URL(mirror)).replace(/\/$/, '')
}
