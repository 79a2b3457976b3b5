import type {ArchiveRequest, ArchiveVariant, PackagePlan, UsedPocket} from '../../apt/context.js'
import {defineError, ExitCode, UsageError} from '../../errors.js'
import {seeChecks} from '../../host/check.js'
import {type Catalogue, movedSuites, type Release, readCatalogue} from '../../images/catalog/catalog.js'
import {type ImageQuery, type ImageReference, imageName} from '../../images/name.js'
import {packages} from '../../images/sources/packages.js'

/** Where each distribution's package of keys has them. */
const KEYRINGS = {
  debian: {package: 'debian-archive-keyring', path: '/usr/share/keyrings/debian-archive-keyring.gpg'},
  ubuntu: {package: 'ubuntu-keyring', path: '/usr/share/keyrings/ubuntu-archive-keyring.gpg'},
} as const

/**
 * APT's sources for a tree that was made of these pockets.
 *
 * @param options.ignoresExpiry - For a mirror that stands still.
 * @returns The file's path below the root, and its text. @see sources.list(5), "deb822-style format"
 */
export function aptSources(
  {release, pockets, packages}: Pick<PackagePlan, 'release' | 'pockets' | 'packages'>,
  {ignoresExpiry}: {ignoresExpiry: boolean},
): {path: string; text: string} {
  const keyring = KEYRINGS[release.distribution]
  const isThere = packages.some(({name}) => name === keyring.package)
  const tail = [
    ...(isThere ? [`Signed-By: ${keyring.path}`] : []),
    ...(ignoresExpiry ? ['Check-Valid-Until: no'] : []),
  ]
  const stanzas = byPlace(pockets).map((same) =>
    [
      'Types: deb',
      `URIs: ${same.slice(0, 1).map(({mirror}) => withoutUser(mirror))}`,
      `Suites: ${same.map(({suite}) => suite).join(' ')}`,
      `Components: ${same[0]?.components.join(' ')}`,
      ...tail,
    ].join('\n'),
  )
  return {
    path: `etc/apt/sources.list.d/${release.distribution}.sources`,
    text: `${stanzas.join('\n\n')}\n`,
  }
}

/** An image is shared and exported: APT has passwords from its own auth.conf(5). */
function withoutUser(mirror: string): string {
  return mirror.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}

/** Pockets of one archive have one stanza. */
function byPlace(pockets: readonly UsedPocket[]): UsedPocket[][] {
  const groups = new Map<string, UsedPocket[]>()
  for (const pocket of pockets) {
    const key = [pocket.mirror, ...pocket.components].join(' ')
    groups.set(key, [...(groups.get(key) ?? []), pocket])
  }
  return [...groups.values()]
}

/**
 * What of a reference has to be made of packages; undefined for what is published, and for what is no name at all.
 *
 * @throws {@link noArchiveImageError} When something was asked for that only packages can give.
 */
export async function bootstrapFor(
  reference: ImageReference,
  wish: ArchiveWish,
  now: Date,
): Promise<BootstrapRequest | undefined> {
  const image = isArchiveWish(wish) ? ofPackages(reference) : reference
  if (image.kind === 'name' && packages.matches(image)) return planBootstrap(image.query, wish, now)
  if (isArchiveWish(wish)) throw noArchiveImageError()
  return undefined
}

/** Who says what an image is to hold need not say that it is made of packages. */
function ofPackages(reference: ImageReference): ImageReference {
  if (reference.kind !== 'name' || reference.query.variant !== undefined) return reference
  return {...reference, query: {...reference.query, variant: 'archive'}}
}

/** Packages of a release could not be configured: their scripts failed, or dpkg is not content with them; `lastLines` of the log are untrusted. */
export const bootstrapFailedError = defineError('ENVS_BOOTSTRAP_FAILED', ExitCode.host, {
  message: 'Could not make "{name}": {reason}.{lastLines}',
  nextStep: [
    'See the whole log: {log}',
    'If you added packages with --include, run the command again without them.',
  ],
})

/** What can start an environment here can't run dpkg for a new one. */
export const bootstrapUnsupportedError = defineError('ENVS_BOOTSTRAP_UNSUPPORTED', ExitCode.host, {
  message: 'Could not make "{name}" with the engine {engine}: to configure packages, envs needs namespaces.',
  nextStep: ['Use a published image: envs image search', seeChecks('user-namespaces')],
})

/** @public Something was asked for that only an image made of packages can have. */
export const noArchiveImageError = defineError('ENVS_USAGE', ExitCode.usage, {
  message: '--include, --variant and --components are for images that envs makes from packages.',
  nextStep: 'Name a release of Debian or Ubuntu: trixie, noble/archive',
})

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
function isArchiveWish({variant, include, components}: ArchiveWish): boolean {
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
