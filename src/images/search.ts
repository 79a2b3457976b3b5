import {NetworkError} from '../host/http/errors.js'
import {nearestNames} from '../host/nearest.js'
import {DISTRIBUTIONS, type Release} from './catalog/catalog.js'
import {type Unreachable, unreachable} from './resolve.js'
import {SOURCES} from './sources/index.js'
import {ARCHIVE} from './sources/packages.js'
import type {ImageContext, OfferedImage, SearchRequest} from './sources/source.js'

export type SearchResult = {
  readonly images: readonly OfferedImage[]
  /** Their images are estimated from the built-in table. */
  readonly unreachable: readonly Unreachable[]
  /** Similar names, if nothing was found. */
  readonly nearest: readonly string[]
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
