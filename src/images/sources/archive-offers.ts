import {isReleased, type Release} from '../catalog/release.js'
import {keptUbuntuReleases, offeredImage} from './offer.js'
import type {OfferedImage, SearchRequest} from './source.js'

/** Stored with images that are made here. */
export const ARCHIVE = 'archive'

/** Bullseye's: of what is older, mirrors hold nothing. */
const OLDEST_DEBIAN = new Date('2019-07-06T00:00:00Z')

/** What can be made of the packages of a release, as far as the built-in table tells: nobody is asked. */
export function archiveOffers({architecture, catalogue}: SearchRequest, now: Date): OfferedImage[] {
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
