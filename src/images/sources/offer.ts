import type {DebArchitecture} from '../../host/architecture.js'
import type {Catalogue} from '../catalog/catalogue.js'
import {isEol, isReleased, type Release} from '../catalog/release.js'
import {imageName} from '../image-name.js'
import type {Variant} from '../published-image.js'
import type {OfferedImage} from './source.js'

type Offer = {
  readonly source: string
  /** What goes before the distribution in the name. */
  readonly prefix: string | undefined
  readonly distribution: string
  readonly suite: string
  readonly variant: Variant
  readonly architecture: DebArchitecture
  readonly origin: OfferedImage['origin']
  readonly serial?: string | undefined
  readonly sizeBytes?: number | undefined
}

/** Completes what a source has by what the catalogue knows of its release. */
export function offeredImage(offer: Offer, {releases}: Catalogue, now: Date): OfferedImage {
  const {source, prefix, distribution, suite, variant, architecture, origin, serial, sizeBytes} = offer
  const release = releases.find((one) => one.distribution === distribution && one.codename === suite)
  return {
    name: imageName({source: prefix, distribution, suite, variant}),
    source,
    distribution,
    suite,
    version: release?.version,
    variant,
    architecture,
    serial,
    sizeBytes,
    eol: release?.eol.standard,
    isEol: release !== undefined && isEol(release, now),
    origin,
  }
}

/** Xenial's: of what is older, the publishers have removed most. */
const OLDEST_KEPT = new Date('2015-10-21T00:00:00Z')

/** The Ubuntu releases whose images stay published: the long-term ones for good, others while they are supported. */
export function keptUbuntuReleases({releases}: Catalogue, now: Date): Release[] {
  return releases.filter(
    (release) =>
      release.distribution === 'ubuntu' &&
      isReleased(release, now) &&
      release.created >= OLDEST_KEPT &&
      (release.isLts || !isEol(release, now)),
  )
}
