import type {ArchiveRequest, ArchiveVariant} from '../archive/plan.js'
import {UsageError} from '../errors.js'
import {type Catalogue, readCatalogue} from '../images/catalog/catalogue.js'
import {movedSuites} from '../images/catalog/moved-suites.js'
import type {Release} from '../images/catalog/release.js'
import {imageName} from '../images/image-name.js'
import type {ImageQuery} from '../images/published-image.js'

/** What an image that is made of packages is to hold, as typed; undefined for what is usual. */
export type ArchiveWish = {
  readonly variant: ArchiveVariant | undefined
  readonly include: readonly string[]
  readonly components: readonly string[]
  readonly allowExpired: boolean
}

export const USUAL_ARCHIVE: ArchiveWish = {
  variant: undefined,
  include: [],
  components: [],
  allowExpired: false,
}

/** An image to be made of the packages of a release. */
export type BootstrapRequest = {
  /** Canonical, without what was asked for beside the usual: `debian:trixie/archive`. */
  readonly name: string
  readonly archive: ArchiveRequest
  /** Whether a Release is taken whose time is over. */
  readonly allowExpired: boolean
}

/** After the last support of any kind; mirrors drop a suite of Debian some time later. */
const DEBIAN_STAY_MS = 365 * 86_400_000

/** @throws {UsageError} When what is asked for can't be. */
export async function planBootstrap(
  query: ImageQuery,
  wish: ArchiveWish,
  now: Date,
): Promise<BootstrapRequest> {
  const {distribution, suite, version, architecture} = query
  if (distribution !== 'debian' && distribution !== 'ubuntu')
    throw new Error(`no archive is known for ${distribution}`)
  const hasMoved = isMoved(suite, await readCatalogue(), now)
  return {
    name: imageName({source: undefined, distribution, suite, variant: 'archive'}),
    archive: {
      release: {distribution, codename: suite, version, hasMoved},
      architecture,
      variant: wish.variant ?? 'minbase',
      include: words(wish.include, '--include'),
      components: words(wish.components, '--components'),
    },
    allowExpired: wish.allowExpired,
  }
}

/** Whether anything was asked for that only an image made of packages can have. */
export function isArchiveWish({variant, include, components}: ArchiveWish): boolean {
  return variant !== undefined || include.length > 0 || components.length > 0
}

const WORD = /^[a-z0-9][a-z0-9+.-]*$/

/** Names parted by commas, each once and in order. */
function words(texts: readonly string[], flag: string): string[] {
  const found = new Set(texts.flatMap((text) => text.split(/[,\s]+/)).filter((word) => word !== ''))
  const wrong = [...found].find((word) => !WORD.test(word))
  if (wrong !== undefined)
    throw new UsageError(`${flag}: ${JSON.stringify(wrong)} is not a valid name.`, [
      `Separate the names with commas: ${flag} curl,jq`,
    ])
  return [...found].sort()
}

function isMoved(suite: string, catalogue: Catalogue, now: Date): boolean {
  if (movedSuites(catalogue, now).includes(suite)) return true
  const release = catalogue.releases.find(({codename}) => codename === suite)
  return release?.distribution === 'debian' && now.getTime() - lastSupport(release) > DEBIAN_STAY_MS
}

function lastSupport({eol}: Release): number {
  const last = eol.extended ?? eol.standard
  return last === undefined ? Number.POSITIVE_INFINITY : last.getTime()
}
