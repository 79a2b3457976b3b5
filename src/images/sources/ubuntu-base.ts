import type {DebArchitecture} from '../../host/machine/arch.js'
import {isReleased, type Release} from '../catalog/catalog.js'
import type {ImageQuery} from '../name.js'
import type {PublishedImage} from '../resolved-image.js'
import {fetchFolderListing, imageInFolder, signingDay} from './signed-listing.js'
import {
  type ImageContext,
  keptUbuntuReleases,
  namedSource,
  type OfferedImage,
  offeredImage,
  type SearchRequest,
} from './source.js'

const ID = 'ubuntu-base'

/**
 * Ubuntu Base: the smallest official root file system, as releases and as daily builds of the next point release.
 *
 * @see https://cdimage.ubuntu.com/ubuntu-base/
 */
export const ubuntuBase = namedSource({
  id: ID,
  listingKind: 'ubuntu-base',
  mirror: ({mirrors}) => mirrors.ubuntuBase,
  canServe: ({distribution, source, variant}) =>
    distribution === 'ubuntu' &&
    source === undefined &&
    (variant === undefined || variant === 'base' || variant === 'daily'),
  async find(query, context) {
    if (query.variant === 'daily') return findDaily(query, context)
    return (await findRelease(query, context)) ?? (await findDaily(query, context))
  },
  // The server has no index of all folders; the table knows them.
  search: async (request, {now}) => expectedImages(request, now),
  expected: expectedImages,
})

/** Finds the newest point release in the folder of a release, which holds all available ones. */
async function findRelease(query: ImageQuery, context: ImageContext): Promise<PublishedImage | undefined> {
  const {suite, version, architecture} = query
  if (version === undefined) return undefined
  const place = {mirror: context.mirrors.ubuntuBase, folder: `releases/${suite}/release/`}
  const listing = await fetchFolderListing({...place, kind: 'ubuntu-base'}, context)
  if (listing === undefined) return undefined
  const newest = newestPoint(listing.sums.keys(), {version, architecture})
  if (newest === undefined) return undefined
  return imageInFolder(listing, {query, source: ID, variant: 'base', ...newest})
}

/** Returns the newest of files such as `ubuntu-base-24.04.5-base-amd64.tar.gz`; the first release has no point. */
function newestPoint(
  files: Iterable<string>,
  {version, architecture}: {version: string; architecture: DebArchitecture},
): {file: string; version: string} | undefined {
  const [front, back] = [`ubuntu-base-${version}`, `-base-${architecture}.tar.gz`]
  let newest: {file: string; point: number} | undefined
  for (const file of files) {
    const middle = file.slice(front.length, -back.length)
    if (file !== front + middle + back || !/^(?:\.\d{1,3})?$/.test(middle)) continue
    const point = Number(middle.slice(1))
    if (newest === undefined || point > newest.point) newest = {file, point}
  }
  if (newest === undefined) return undefined
  return {file: newest.file, version: newest.point === 0 ? version : `${version}.${newest.point}`}
}

async function findDaily(query: ImageQuery, context: ImageContext): Promise<PublishedImage | undefined> {
  const file = `${query.suite}-base-${query.architecture}.tar.gz`
  const mirror = context.mirrors.ubuntuBase
  // The second folder held the release under development until May 2026, and still does on some mirrors.
  for (const folder of [`${query.suite}/daily/current/`, 'daily/current/']) {
    const listing = await fetchFolderListing({mirror, folder, kind: 'ubuntu-base'}, context)
    const image =
      listing &&
      imageInFolder(listing, {query, source: ID, variant: 'daily', version: signingDay(listing), file})
    if (image !== undefined) return image
  }
  return undefined
}

function expectedImages({architecture, catalogue}: SearchRequest, now: Date): OfferedImage[] {
  const kept = keptUbuntuReleases(catalogue, now).filter(({codename}) => isBuilt(architecture, codename))
  const offer = (release: Release, variant: 'base' | 'daily') =>
    offeredImage(
      {
        source: ID,
        prefix: undefined,
        distribution: 'ubuntu',
        suite: release.codename,
        variant,
        architecture,
        origin: 'catalogue',
      },
      catalogue,
      now,
    )
  const coming = catalogue.releases.filter(
    (release) => release.distribution === 'ubuntu' && release.created <= now && !isReleased(release, now),
  )
  const daily = kept.filter(({isLts, codename}) => isLts && codename !== 'xenial')
  return [
    ...kept.map((release) => offer(release, 'base')),
    ...[...daily, ...coming].map((release) => offer(release, 'daily')),
  ]
}

/** Returns whether the architecture is built: riscv64 since focal, i386 until bionic. */
function isBuilt(architecture: DebArchitecture, suite: string): boolean {
  const isOld = suite === 'xenial' || suite === 'bionic'
  if (architecture === 'loong64') return false
  if (architecture === 'riscv64') return !isOld
  return architecture !== 'i386' || isOld
}
