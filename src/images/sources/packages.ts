import {DISTRIBUTIONS, isReleased, type Release} from '../catalog/catalog.js'
import {
  keptUbuntuReleases,
  namedSource,
  type OfferedImage,
  offeredImage,
  type SearchRequest,
} from './source.js'

/** Source id of images that are built here. */
export const ARCHIVE = 'archive'

/** Creation day of bullseye: mirrors do not have older releases. */
const OLDEST_DEBIAN = new Date('2019-07-06T00:00:00Z')

/** Images that are built here from the packages of a release. */
export const packages = namedSource({
  id: ARCHIVE,
  canServe: ({distribution, source, variant}) =>
    variant === 'archive' && source === undefined && DISTRIBUTIONS.some((known) => known === distribution),
  // The build reads the APT repository: the content depends on more than the name.
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

/** Lists the images that can be built, from the built-in table and without a request. */
function archiveOffers({architecture, catalogue}: SearchRequest, now: Date): OfferedImage[] {
  const releases = [
    ...catalogue.releases.filter((release) => isBuildableDebian(release, now)),
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

/** Returns whether packages of this Debian release exist: stable releases, the next one, and sid. */
function isBuildableDebian(release: Release, now: Date): boolean {
  const {distribution, created, codename} = release
  if (distribution !== 'debian') return false
  if (codename === 'sid') return true
  return created >= OLDEST_DEBIAN && (isReleased(release, now) || created <= now)
}
