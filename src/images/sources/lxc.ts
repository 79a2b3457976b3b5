import {resolveRelease} from '../catalog/catalog.js'
import {unknownImageError} from '../errors.js'
import {
  type ImageQuery,
  isNamePart,
  parseVariant,
  queryOfRelease,
  unknownImage,
  type Variant,
} from '../name.js'
import type {PublishedImage} from '../resolved-image.js'
import {replayedListingError} from './errors.js'
import {type LxcBuild, parseLxcIndex, serialDay} from './listings.js'
import {type FolderListing, fetchFolderListing, fetchSignedListing, imageInFolder} from './signed-listing.js'
import {
  type ImageContext,
  namedSource,
  type OfferedImage,
  offeredImage,
  type SchemeOptions,
  type SearchRequest,
} from './source.js'

const ID = 'lxc'

const FILE = 'rootfs.tar.xz'

/** The server's variants that are also variants of envs. */
const VARIANTS = ['default', 'cloud'] as const satisfies readonly Variant[]

/** Tolerance for serials, which are in the server's local time, and for builds, which take hours. */
const DAY_MS = 86_400_000

/**
 * images.linuxcontainers.org: daily root file systems of about 25 distributions, with an init system.
 *
 * The signed listing of a build does not name the image: only the index, served over TLS, binds the files to a
 * name. A mirror could serve one signed image for another, but not an old build for a new one.
 *
 * @see https://images.linuxcontainers.org/
 */
export const lxc = namedSource({
  id: ID,
  scheme: {word: ID, parse: parseName},
  listingKind: 'lxc',
  mirror: ({mirrors}) => mirrors.lxc,
  canServe: ({distribution, source, variant = 'default'}) => {
    if (source !== undefined && source !== ID) return false
    // Ubuntu publishes cloud images itself: a request without `lxc:` means those.
    const isAsked = source === ID || distribution !== 'ubuntu'
    return variant === 'default' || (isAsked && VARIANTS.some((known) => known === variant))
  },
  find: async (query, context) => findBuild(query, context, {tries: 2}),
  async search({architecture, catalogue}, context) {
    const builds = (await fetchIndex(context)).filter((build) => build.architecture === architecture)
    return builds.flatMap(({distribution, release, variant: word, serial}) => {
      const variant = VARIANTS.find((known) => known === word)
      if (variant === undefined) return []
      const image = {distribution, suite: release, variant, serial, origin: 'online'} as const
      return [offer(image, {architecture, catalogue}, context.now)]
    })
  },
  expected({architecture, catalogue}, now) {
    return catalogue.releases
      .filter(({distribution, released, eol}) => {
        const last = eol.extended ?? eol.standard
        return distribution === 'debian' && released !== undefined && last !== undefined && last >= now
      })
      .map(({codename}) => {
        const image = {
          distribution: 'debian',
          suite: codename,
          variant: 'default',
          origin: 'catalogue',
        } as const
        return offer(image, {architecture, catalogue}, now)
      })
  },
})

/** Parses `debian/trixie` or `debian/trixie/cloud`: a distribution, its release and an optional variant. */
function parseName(rest: string, {text, ...options}: SchemeOptions): ImageQuery {
  const parts = rest.split('/')
  const [distribution = '', word, variant] = parts
  if (!parts.every(isNamePart) || parts.length > 3) throw unknownImage(text, options)
  if (word === undefined)
    throw unknownImageError(
      {name: text},
      {suggestions: ['Name the distribution and its release: lxc:debian/trixie']},
    )
  // Images built from packages come from no image server.
  if (variant === 'archive')
    throw unknownImageError({name: text}, {suggestions: [`Did you mean ${distribution}:${word}/archive?`]})
  const release = resolveRelease(word, options.catalogue, options.now)
  const resolved =
    release?.distribution === distribution
      ? queryOfRelease(release)
      : {distribution, suite: word, version: undefined}
  return {
    ...resolved,
    variant: parseVariant(text, variant),
    source: ID,
    architecture: options.architecture,
  }
}

async function findBuild(
  query: ImageQuery,
  context: ImageContext,
  {tries}: {tries: number},
): Promise<PublishedImage | undefined> {
  const variant = query.variant ?? 'default'
  const build = (await fetchIndex(context)).find(
    (one) =>
      one.distribution === query.distribution &&
      one.release === query.suite &&
      one.architecture === query.architecture &&
      one.variant === variant,
  )
  if (build === undefined) return undefined
  const place = {mirror: context.mirrors.lxc, folder: build.path.slice(1), kind: ID, suffix: '.asc'} as const
  const listing = await fetchFolderListing(place, context)
  if (listing === undefined) {
    // Builds are removed after three days: this one was removed after the index was read.
    return tries > 1 ? findBuild(query, context, {tries: tries - 1}) : undefined
  }
  refuseReplay(listing, build)
  return imageInFolder(listing, {query, source: ID, scheme: ID, variant, version: build.serial, file: FILE})
}

/** Refuses a listing that was signed before its build: a replayed old one. */
function refuseReplay({evidence}: FolderListing, {serial}: LxcBuild): void {
  const day = serialDay(serial)
  if (day !== undefined && evidence.signedAt.getTime() < day.getTime() - DAY_MS) {
    throw replayedListingError({listing: evidence.url, signedAt: evidence.signedAt, serial})
  }
}

async function fetchIndex(context: ImageContext): Promise<LxcBuild[]> {
  const listing = await fetchSignedListing(
    {
      mirror: context.mirrors.lxc,
      folder: 'meta/1.0/',
      kind: ID,
      listing: 'index-system',
      signature: 'index-system.asc',
    },
    context,
  )
  return listing === undefined ? [] : parseLxcIndex(listing.data, listing.name)
}

function offer(
  image: Pick<OfferedImage, 'distribution' | 'suite' | 'variant' | 'origin'> & {serial?: string},
  {architecture, catalogue}: SearchRequest,
  now: Date,
): OfferedImage {
  return offeredImage({source: ID, prefix: ID, architecture, ...image}, catalogue, now)
}
