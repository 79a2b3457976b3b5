import {join} from 'node:path'
import {basename} from 'node:path/posix'
import * as v from 'valibot'
import {EnvsError, ExitCode} from '../errors.js'
import {fileFacts, openMemory} from '../host/cache.js'
import {type Sha256, sha256Of} from '../host/digest.js'
import {isErrno} from '../host/errno.js'
import {digestMismatchError} from '../host/errors.js'
import {redactUrl} from '../host/http/client.js'
import {NetworkError} from '../host/http/errors.js'
import {isOffline} from '../host/http/proxy.js'
import {nearestNames} from '../host/nearest.js'
import {numberField, sha256Field} from '../host/records.js'
import {findKept, type KeptImage, readEvidence, readKept} from './cache/cache.js'
import {ImageRecordUnreadableError, imageRecordUnreadableError} from './cache/errors.js'
import {DISTRIBUTIONS, describeEnd, movedRelease, type Release, readCatalogue} from './catalog/catalog.js'
import {type ImageQuery, type ImageReference, imageName, type NamedReference} from './name.js'
import type {ContainerContent, Evidence, ResolvedImage} from './resolved-image.js'
import {type ScopedKeyring, trustedKeys} from './signature/keyring.js'
import {verifyCleartext, verifyDetached} from './signature/verify.js'
import {
  imageNotPublishedError,
  notInListingError,
  sourcesUnreachableError,
  unknownSourceError,
} from './sources/errors.js'
import {SOURCES} from './sources/index.js'
import {parseSha256Sums} from './sources/listings.js'
import {ARCHIVE} from './sources/packages.js'
import type {ImageContext, ImageSource, OfferedImage, SearchRequest} from './sources/source.js'

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

export type SearchResult = {
  readonly images: readonly OfferedImage[]
  /** Their images are estimated from the built-in table. */
  readonly unreachable: readonly Unreachable[]
  /** Similar names, if nothing was resolutionOf. */
  readonly nearest: readonly string[]
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

/**
 * Returns the available images, newest release first: all, or those whose name, version or title contains `word`.
 *
 * @throws {EnvsError} With exit code 6 if a listing is not trusted.
 */
export async function searchImages(
  word: string | undefined,
  context: ImageContext,
  request: SearchRequest,
): Promise<SearchResult> {
  const failures: Unreachable[] = []
  const offers = await Promise.all(
    SOURCES.map(async (source) => {
      try {
        return (await source.search?.(request, context)) ?? []
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error
        failures.push(unreachable(source, error, context))
        return source.expected?.(request, context.now) ?? []
      }
    }),
  )
  const {releases} = request.catalogue
  const wanted = word?.toLowerCase() ?? ''
  const images = offers
    .flat()
    .filter((image) => wordsFor(image, releases).some((text) => text.toLowerCase().includes(wanted)))
  const names = offers
    .flat()
    .flatMap(({suite, version, distribution}) => [suite, version ?? suite, distribution])
  return {
    images: images.sort((a, b) => compareOffers(a, b, releases)),
    unreachable: failures,
    nearest: images.length > 0 || word === undefined ? [] : nearestNames(wanted, [...new Set(names)]),
  }
}

function unreachable(source: ImageSource, {reason}: NetworkError, context: ImageContext): Unreachable {
  return {source: source.id, mirror: shownMirror(source, context), reason}
}

function shownMirror(source: ImageSource, context: ImageContext): string {
  const mirror = source.mirror?.(context)
  return mirror === undefined ? source.id : redactUrl(new URL(mirror)).replace(/\/$/, '')
}

function wordsFor(
  {name, version, distribution, suite}: OfferedImage,
  releases: readonly Release[],
): string[] {
  const title = releaseOf({distribution, suite}, releases)?.title
  return [name, ...(version === undefined ? [] : [version]), ...(title === undefined ? [] : [title])]
}

const RANKED: readonly string[] = DISTRIBUTIONS

/** Orders by catalogue distribution, then by name; releases from new to old. */
function compareOffers(a: OfferedImage, b: OfferedImage, releases: readonly Release[]): number {
  return (
    rank(a.distribution) - rank(b.distribution) ||
    a.distribution.localeCompare(b.distribution) ||
    createdAtMs(b, releases) - createdAtMs(a, releases) ||
    b.suite.localeCompare(a.suite, undefined, {numeric: true}) ||
    sourceRank(a) - sourceRank(b) ||
    a.name.localeCompare(b.name)
  )
}

function rank(distribution: string): number {
  const index = RANKED.indexOf(distribution)
  return index === -1 ? RANKED.length : index
}

/** Ranks the sources; for Debian, which publishes no images, builds from packages come first. */
function sourceRank({source, distribution}: OfferedImage): number {
  if (source === ARCHIVE && distribution === 'debian') return -1
  return SOURCES.findIndex(({id}) => id === source)
}

function createdAtMs(image: OfferedImage, releases: readonly Release[]): number {
  return releaseOf(image, releases)?.created.getTime() ?? 0
}

function releaseOf(
  {distribution, suite}: Pick<OfferedImage, 'distribution' | 'suite'>,
  releases: readonly Release[],
): Release | undefined {
  return releases.find((release) => release.distribution === distribution && release.codename === suite)
}

/** The claims about a published image that the evidence is checked against. */
export type ClaimedImage = {
  readonly source: string
  readonly url: URL
  readonly sha256: Sha256
  readonly evidence: Pick<Evidence, 'listing' | 'signature'>
}

type ReverifyOptions = {
  readonly keyrings: readonly ScopedKeyring[]
  readonly now: Date
  readonly allowSha1?: boolean | undefined
}

/**
 * Verifies a cached image offline: its stored listing is signed by a pinned key of the source, and lists the file
 * of `url` with this digest.
 *
 * @throws {@link unknownSourceError} @throws {@link notInListingError} @throws {MalformedListingError}
 * @throws {EnvsError} With exit code 6, of images/signature/errors.ts.
 */
export async function reverify(
  {source: id, url, sha256, evidence}: ClaimedImage,
  {keyrings, now, allowSha1}: ReverifyOptions,
): Promise<Pick<Evidence, 'signer' | 'signedAt'>> {
  const kind = SOURCES.find((one) => one.id === id)?.listingKind
  if (kind === undefined) throw unknownSourceError({source: id})
  const {listing, signature} = evidence
  // The listing is in the folder of the file.
  const keys = await trustedKeys({kind, from: url}, keyrings)
  const options = {keys, now, allowSha1}
  const {data, signer, signedAt} =
    signature === undefined
      ? await verifyCleartext(listing, options)
      : await verifyDetached({listing, signature}, options)
  const file = decodeURIComponent(basename(url.pathname))
  if (parseSha256Sums(data, listing.name).get(file) !== sha256)
    throw notInListingError({file, listing: listing.name})
  return {signer, signedAt}
}

/** Remembers the cached image that a name resolved to when its source was last asked. */
export type RecentAnswers = {
  /** Returns the digest of an answer, of which nothing need be cached; undefined if it is older than a day. */
  recallDigest(question: Question): Sha256 | undefined
  /** @returns undefined if the answer is older than a day, or the image is no longer cached. */
  recall(question: Question): Promise<KeptImage | undefined>
  remember(question: Question, sha256: Sha256): Promise<void>
}

/** The inputs of an answer, as JSON: the query, the mirrors and the keys. */
export type Question = {readonly [key: string]: unknown}

/** Lifetime of an answer: publishers release at most one image a week, and APT updates the packages. */
const ANSWER_LIFETIME_MS = 24 * 60 * 60 * 1000
const MAX_ANSWERS = 100

const answerSchema = v.object({sha256: sha256Field, askedAtMs: numberField})

/**
 * Opens the cache of answers, which avoids a network lookup for each environment of one image. The signature of
 * the image was verified when it was fetched.
 *
 * @param place.cacheFolder - The user's own: a user who can write there can change the environments as well.
 */
export function openRecentAnswers({
  images,
  cacheFolder,
  now,
}: {
  readonly images: string
  readonly cacheFolder: string
  readonly now: Date
}): RecentAnswers {
  const memory = openMemory(join(cacheFolder, 'answers.json'), {schema: answerSchema, most: MAX_ANSWERS})
  const recallDigest = (question: Question) => {
    const known = memory.recall(keyOf(question))
    // An answer from the future was stored before the clock was set back.
    const isFresh = known !== undefined && Math.abs(now.getTime() - known.askedAtMs) < ANSWER_LIFETIME_MS
    return isFresh ? known.sha256 : undefined
  }
  return {
    recallDigest,
    async recall(question) {
      const known = recallDigest(question)
      return known === undefined ? undefined : readKept(images, known).catch(unlessDamaged)
    },
    remember: (question, sha256) => memory.remember(keyOf(question), {sha256, askedAtMs: now.getTime()}),
  }
}

/** Returns the inputs that decide about a published image. */
export function questionOfImage(query: ImageQuery, context: ImageContext): Question {
  return {query, mirrors: context.mirrors, ...judgesOf(context)}
}

/**
 * Returns the keys and options that decide about signatures. File facts are included, because a changed keyring
 * may have lost a key.
 */
export function judgesOf({keyrings, allowSha1}: Pick<ImageContext, 'keyrings' | 'allowSha1'>): Question {
  const files = keyrings.map(({below, path}) => [below, path, fileFacts(path)])
  return {keyrings: files, allowSha1: allowSha1 === true}
}

function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof ImageRecordUnreadableError)) throw error
}

function keyOf(question: Question): string {
  return sha256Of(JSON.stringify(question))
}
