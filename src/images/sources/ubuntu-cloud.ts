import type {ImageQuery} from '../name.js'
import type {PublishedImage} from '../resolved-image.js'
import {fetchClearsigned, fetchFolderListing, imageInFolder, signingDay} from './signed-listing.js'
import {parseStreamIndex, parseStreamProducts} from './simplestreams.js'
import {
  type ImageContext,
  keptUbuntuReleases,
  namedSource,
  type OfferedImage,
  offeredImage,
  type SearchRequest,
} from './source.js'

const ID = 'ubuntu-cloud'

type CloudVariant = 'cloud' | 'minimal'

type StreamLayout = {
  /** Folder of the releases, each in a folder named by its codename. */
  readonly releases: string
  readonly daily: (suite: string) => string
  /** Part of the file names. */
  readonly flavour: string
  /** Names of its builds and products in the stream. */
  readonly label: string
  readonly product: string
}

/** Files with a root file system; `*-cloudimg-ARCH.tar.gz` holds a disk image, `-lxd.tar.xz` only metadata. */
const ROOT_FILES = ['root.tar.xz', 'root.tar.gz'] as const

const LAYOUTS: Readonly<Record<CloudVariant, StreamLayout>> = {
  minimal: {
    releases: 'minimal/releases/',
    daily: (suite) => `minimal/daily/${suite}/current/`,
    flavour: 'minimal',
    label: 'minimal release',
    product: 'com.ubuntu.cloud:minimal',
  },
  cloud: {
    releases: 'releases/',
    daily: (suite) => `${suite}/current/`,
    flavour: 'server',
    label: 'release',
    product: 'com.ubuntu.cloud:server',
  },
}

/**
 * Ubuntu's cloud images as root file systems: `cloud` is a full server, `minimal` a minimal bootable system.
 *
 * @see https://cloud-images.ubuntu.com/
 */
export const ubuntuCloud = namedSource({
  id: ID,
  listingKind: 'ubuntu-cloud',
  mirror: ({mirrors}) => mirrors.ubuntuCloud,
  canServe: ({distribution, source, variant}) =>
    distribution === 'ubuntu' && source === undefined && variantsOf(variant).length > 0,
  async find(query, context) {
    for (const variant of variantsOf(query.variant)) {
      const image = await findVariant(variant, query, context)
      if (image !== undefined) return image
    }
    return undefined
  },
  async search(request, context) {
    const found = await Promise.all([
      offersOf('cloud', request, context),
      offersOf('minimal', request, context),
    ])
    return found.flat()
  },
  expected({architecture, catalogue}, now) {
    const variants = (['cloud', 'minimal'] as const).filter(
      (variant) => variant === 'cloud' || architecture === 'amd64' || architecture === 'arm64',
    )
    return keptUbuntuReleases(catalogue, now).flatMap(({codename}) =>
      variants.map((variant) =>
        offer({variant, suite: codename, origin: 'catalogue'}, {architecture, catalogue}, now),
      ),
    )
  },
})

/** Returns the requested variants, by default the smaller one first. */
function variantsOf(variant: ImageQuery['variant']): readonly CloudVariant[] {
  if (variant === undefined) return ['minimal', 'cloud']
  return variant === 'cloud' || variant === 'minimal' ? [variant] : []
}

/**
 * Finds an image. The release folder names its files by version, the daily folder by codename; a coming release
 * has only the daily folder.
 */
async function findVariant(
  variant: CloudVariant,
  query: ImageQuery,
  context: ImageContext,
): Promise<PublishedImage | undefined> {
  const {suite, version, architecture} = query
  const {releases, daily, flavour} = LAYOUTS[variant]
  const places = [
    ...(version === undefined ? [] : [{folder: `${releases}${suite}/release/`, front: `ubuntu-${version}`}]),
    {folder: daily(suite), front: suite},
  ]
  for (const {folder, front} of places) {
    const place = {mirror: context.mirrors.ubuntuCloud, folder, kind: 'ubuntu-cloud'} as const
    const listing = await fetchFolderListing(place, context)
    if (listing === undefined) continue
    for (const root of ROOT_FILES) {
      const file = `${front}-${flavour}-cloudimg-${architecture}-${root}`
      const image = imageInFolder(listing, {query, source: ID, variant, version: signingDay(listing), file})
      if (image !== undefined) return image
    }
  }
  return undefined
}

/** Lists the images of a stream. Streams have sizes and serials, but take megabytes, so `find` does not read them. */
async function offersOf(
  variant: CloudVariant,
  {architecture, catalogue}: SearchRequest,
  context: ImageContext,
): Promise<OfferedImage[]> {
  const {releases, label, product} = LAYOUTS[variant]
  const stream = {
    mirror: `${context.mirrors.ubuntuCloud}/${releases}`,
    folder: '',
    kind: 'ubuntu-streams',
  } as const
  const index = await fetchClearsigned({...stream, listing: 'streams/v1/index.sjson'}, context)
  const path = index && parseStreamIndex(index.data, index.name)
  const products = path && (await fetchClearsigned({...stream, listing: path}, context))
  if (!products) return []
  const filter = {labels: [label], ftypes: ROOT_FILES}
  return parseStreamProducts(products.data, products.name, filter).flatMap(({id, suite, version, builds}) => {
    const [newest] = builds
    // Ids may have suffixes: the exact id is the plain product of this architecture.
    if (newest === undefined || id !== `${product}:${version}:${architecture}`) return []
    const {serial, items} = newest
    const sizeBytes = items[0]?.sizeBytes
    return [
      offer({variant, suite, origin: 'online', serial, sizeBytes}, {architecture, catalogue}, context.now),
    ]
  })
}

function offer(
  image: Pick<OfferedImage, 'suite' | 'origin'> & {
    variant: CloudVariant
    serial?: string
    sizeBytes?: number | undefined
  },
  {architecture, catalogue}: SearchRequest,
  now: Date,
): OfferedImage {
  return offeredImage(
    {source: ID, prefix: undefined, distribution: 'ubuntu', architecture, ...image},
    catalogue,
    now,
  )
}
