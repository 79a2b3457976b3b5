import {DISTRIBUTIONS, isReleased, type Release} from '../catalog/catalog.js'
import {
  keptUbuntuReleases,
  namedSource,
  type OfferedImage,
  offeredImage,
  type SearchRequest,
} from './source.js'

/** Stored with images that are made here. */
export const ARCHIVE = 'archive'

/** Bullseye's: of what is older, mirrors hold nothing. */
const OLDEST_DEBIAN = new Date('2019-07-06T00:00:00Z')

/** Images that are made here of the packages of a release: whoever has a package archive has them. */
export const packages = namedSource({
  id: ARCHIVE,
  canServe: ({distribution, source, variant}) =>
    variant === 'archive' && source === undefined && DISTRIBUTIONS.some((known) => known === distribution),
  // The package archive is read by who makes the image: what it holds hangs on more than the name.
  find: async (query) => ({
    source: ARCHIVE,
    digest: undefined,
    trust: {kind: 'unverified'},
    content: {kind: 'packages', query},
    label: undefined,
  }),
  search: async (request, {now}) => archiveOffers(request, now),
  expected: archiveOffers,
})

/** What can be made of the packages of a release, as far as the built-in table tells: nobody is asked. */
function archiveOffers({architecture, catalogue}: SearchRequest, now: Date): OfferedImage[] {
  const releases = [
    ...catalogue.releases.filter((release) => isOfDebian(release, now)),
    ...keptUbuntuReleases(catalogue, now),
  ]
  return releases.map(({distribution, codename}) =>
    offeredImage(
      {
        ...{source: ARCHIVE, prefix: undefined, distribution, suite: codename, variant: 'archive'},
        ...{architecture, origin: 'catalogue'},
      },
      catalogue,
      now,
    ),
  )
}

/** Stable ones and the one that is to be next, which has a number before it is released, and sid. */
function isOfDebian(release: Release, now: Date): boolean {
  const {distribution, created, codename} = release
  if (distribution !== 'debian') return false
  if (codename === 'sid') return true
  return created >= OLDEST_DEBIAN && (isReleased(release, now) || created <= now)
}
