import {NetworkError} from '../host/http/errors.js'
import {redactUrl} from '../host/http/redact-url.js'
import {nearestNames} from '../host/nearest.js'
import {DISTRIBUTIONS} from './catalog/catalogue.js'
import type {Release} from './catalog/release.js'
import {imageName} from './image-name.js'
import type {ImageReference} from './published-image.js'
import type {ResolvedImage} from './resolved-image.js'
import {ARCHIVE} from './sources/archive-offers.js'
import {imageNotPublishedError, sourcesUnreachableError} from './sources/errors.js'
import {SOURCES} from './sources/list.js'
import type {ImageContext, ImageSource, OfferedImage, SearchRequest} from './sources/source.js'

/** A source that could not be asked. */
export type Unreachable = {
  readonly source: string
  /** Its URL, without secrets. */
  readonly mirror: string
  readonly reason: string
}

export type SearchResult = {
  readonly images: readonly OfferedImage[]
  /** What these have is told from the built-in table. */
  readonly unreachable: readonly Unreachable[]
  /** Names near the word when nothing was found. */
  readonly nearest: readonly string[]
}

/**
 * Finds out what a reference stands for just now. The sources that match are asked in their order until one has it.
 *
 * @throws {@link imageNotPublishedError} When all of them answered, and none has it.
 * @throws {@link sourcesUnreachableError} When some did not answer, and none of the others has it.
 * @throws {EnvsError} With exit code 6 when a listing is not to be trusted: no other source is asked then.
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
    throw sourcesUnreachableError({name, tried}, {hints: suggestions, cause: failures[0]?.error})
  }
  const asked = sources.map((source) => shownMirror(source, context))
  const {architecture, suite} = query
  const reason =
    asked.length === 0 ? 'no source of envs has such images' : `envs looked at ${asked.join(', ')}`
  throw imageNotPublishedError({name, architecture, reason, suite})
}

/**
 * What can be had, the newest release first; all of it without a `word`, which may be part of a name, a version or a
 * title.
 *
 * @throws {EnvsError} With exit code 6 when a listing is not to be trusted.
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

/** Distributions of the catalogue first, then by name; their releases from new to old. */
function compareOffers(a: OfferedImage, b: OfferedImage, releases: readonly Release[]): number {
  return (
    rank(a.distribution) - rank(b.distribution) ||
    a.distribution.localeCompare(b.distribution) ||
    begun(b, releases) - begun(a, releases) ||
    b.suite.localeCompare(a.suite, undefined, {numeric: true}) ||
    sourceRank(a) - sourceRank(b) ||
    a.name.localeCompare(b.name)
  )
}

function rank(distribution: string): number {
  const index = RANKED.indexOf(distribution)
  return index === -1 ? RANKED.length : index
}

/** Debian publishes none: what is made of its packages comes first. */
function sourceRank({source, distribution}: OfferedImage): number {
  if (source === ARCHIVE && distribution === 'debian') return -1
  return SOURCES.findIndex(({id}) => id === source)
}

function begun(image: OfferedImage, releases: readonly Release[]): number {
  return releaseOf(image, releases)?.created.getTime() ?? 0
}

function releaseOf(
  {distribution, suite}: Pick<OfferedImage, 'distribution' | 'suite'>,
  releases: readonly Release[],
): Release | undefined {
  return releases.find((release) => release.distribution === distribution && release.codename === suite)
}
