import type {ArchiveRequest, ArchiveVariant, PackagePlan, UsedPocket} from '../../apt/context.js'
import {defineError, ExitCode, UsageError} from '../../errors.js'
import {seeChecks} from '../../host/check.js'
import {type Catalogue, movedSuites, type Release, readCatalogue} from '../../images/catalog/catalog.js'
import {type ImageQuery, type ImageReference, imageName} from '../../images/name.js'
import {packages} from '../../images/sources/packages.js'

/** The options for an image that is made from packages, as typed. */
export type ArchiveWish = {
  readonly variant: ArchiveVariant | undefined
  readonly include: readonly string[]
  readonly components: readonly string[]
  readonly allowExpired: boolean
}

export const DEFAULT_ARCHIVE: ArchiveWish = {
  variant: undefined,
  include: [],
  components: [],
  allowExpired: false,
}

/** The request for an image that is made from the packages of a release. */
export type BootstrapRequest = {
  /** The canonical name, without the options: `debian:trixie/archive`. */
  readonly name: string
  readonly archive: ArchiveRequest
  /** Whether a Release file that has expired is accepted. */
  readonly allowExpired: boolean
}

/**
 * Returns the request for an image that is made from packages; undefined for a published image, and for a reference that is
 * not a name.
 *
 * @throws {@link noArchiveImageError} When an option for images made from packages was given with another image.
 */
export async function bootstrapFor(
  reference: ImageReference,
  wish: ArchiveWish,
  now: Date,
): Promise<BootstrapRequest | undefined> {
  const image = isArchiveWish(wish) ? withArchiveVariant(reference) : reference
  if (image.kind === 'name' && packages.matches(image)) return planBootstrap(image.query, wish, now)
  if (isArchiveWish(wish)) throw noArchiveImageError()
  return undefined
}

/** Returns whether an option was given that needs an image made from packages. */
function isArchiveWish({variant, include, components}: ArchiveWish): boolean {
  return variant !== undefined || include.length > 0 || components.length > 0
}

/** Adds the variant `archive`, which such an option implies, to a name without a variant. */
function withArchiveVariant(reference: ImageReference): ImageReference {
  if (reference.kind !== 'name' || reference.query.variant !== undefined) return reference
  return {...reference, query: {...reference.query, variant: 'archive'}}
}

/** Builds the request from a name and the options. @throws {UsageError} When an option has a value that is not valid. */
export async function planBootstrap(
  query: ImageQuery,
  wish: ArchiveWish,
  now: Date,
): Promise<BootstrapRequest> {
  const {distribution, suite, version, architecture} = query
  if (distribution !== 'debian' && distribution !== 'ubuntu')
    throw new Error(`no APT repository is known for ${distribution}`)
  const hasMoved = isMoved(suite, await readCatalogue(), now)
  return {
    name: imageName({source: undefined, distribution, suite, variant: 'archive'}),
    archive: {
      release: {distribution, codename: suite, version, hasMoved},
      architecture,
      variant: wish.variant ?? 'minbase',
      include: parseNames(wish.include, '--include'),
      components: parseNames(wish.components, '--components'),
    },
    allowExpired: wish.allowExpired,
  }
}

const WORD = /^[a-z0-9][a-z0-9+.-]*$/

/** Parses names that are separated by commas. @returns Each name once, sorted. */
function parseNames(texts: readonly string[], flag: string): string[] {
  const found = new Set(texts.flatMap((text) => text.split(/[,\s]+/)).filter((word) => word !== ''))
  const wrong = [...found].find((word) => !WORD.test(word))
  if (wrong !== undefined)
    throw new UsageError(`${flag}: ${JSON.stringify(wrong)} is not a valid name.`, [
      `Separate the names with commas: ${flag} curl,jq`,
    ])
  return [...found].sort()
}

/** Time after the end of all support; later, mirrors no longer have a suite of Debian. */
const DEBIAN_STAY_MS = 365 * 86_400_000

function isMoved(suite: string, catalogue: Catalogue, now: Date): boolean {
  if (movedSuites(catalogue, now).includes(suite)) return true
  const release = catalogue.releases.find(({codename}) => codename === suite)
  return release?.distribution === 'debian' && now.getTime() - lastSupport(release) > DEBIAN_STAY_MS
}

function lastSupport({eol}: Release): number {
  const last = eol.extended ?? eol.standard
  return last === undefined ? Number.POSITIVE_INFINITY : last.getTime()
}

/** The package and path of each distribution's APT keyring. */
const KEYRINGS = {
  debian: {package: 'debian-archive-keyring', path: '/usr/share/keyrings/debian-archive-keyring.gpg'},
  ubuntu: {package: 'ubuntu-keyring', path: '/usr/share/keyrings/ubuntu-archive-keyring.gpg'},
} as const

/** The components that the APT sources name in an image whose user named none, as in the publisher's own images. */
const USUAL_COMPONENTS = {
  debian: ['main'],
  ubuntu: ['main', 'restricted', 'universe', 'multiverse'],
} as const

type AptSourceOptions = {
  /** Turns `Valid-Until` off, for a mirror that is no longer updated. */
  readonly ignoresExpiry: boolean
  /** The components that the user named; empty for the usual ones. */
  readonly components: readonly string[]
}

/** An entry of the APT sources: pockets of one mirror with the same components. */
type SourceEntry = {
  /** Without user and password. */
  readonly mirror: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
}

/**
 * Returns the APT sources for a tree that was made from these pockets. They name more components than the packages come
 * from: a package of universe can be installed later, although the tree is made of main.
 *
 * @returns The file's path below the root, and its text.
 */
export function aptSources(
  {release, pockets, packages}: Pick<PackagePlan, 'release' | 'pockets' | 'packages'>,
  {ignoresExpiry, components}: AptSourceOptions,
): {path: string; text: string} {
  const entries = entriesOf(
    pockets,
    components.length > 0 ? components : USUAL_COMPONENTS[release.distribution],
  )
  if (hasOneLineSources(release))
    return {path: 'etc/apt/sources.list', text: oneLineText(entries, {ignoresExpiry})}
  const keyring = KEYRINGS[release.distribution]
  const signedBy = packages.some(({name}) => name === keyring.package) ? keyring.path : undefined
  return {
    path: `etc/apt/sources.list.d/${release.distribution}.sources`,
    text: deb822Text(entries, {ignoresExpiry, signedBy, isUbuntu: release.distribution === 'ubuntu'}),
  }
}

/** The first release of Ubuntu with sources in the deb822 format. */
const FIRST_DEB822 = 24.04

/** Returns whether the publisher's images of the release have /etc/apt/sources.list, which instructions for it edit. */
function hasOneLineSources({distribution, version}: PackagePlan['release']): boolean {
  return distribution === 'ubuntu' && version !== undefined && Number(version) < FIRST_DEB822
}

/** Ubuntu's package of keys puts them where APT looks without `signed-by`. @see sources.list(5), "one-line-style format" */
function oneLineText(entries: readonly SourceEntry[], {ignoresExpiry}: {ignoresExpiry: boolean}): string {
  const options = ignoresExpiry ? '[check-valid-until=no] ' : ''
  const lines = entries.flatMap(({mirror, suites, components}) =>
    suites.flatMap((suite) => {
      const rest = `${options}${mirror}/ ${suite} ${components.join(' ')}`
      return [`deb ${rest}`, `# deb-src ${rest}`]
    }),
  )
  return `${lines.join('\n')}\n`
}

/** @see sources.list(5), "deb822-style format" */
function deb822Text(
  entries: readonly SourceEntry[],
  {
    ignoresExpiry,
    signedBy,
    isUbuntu,
  }: {ignoresExpiry: boolean; signedBy: string | undefined; isUbuntu: boolean},
): string {
  const stanzas = entries.map(({mirror, suites, components}) =>
    [
      ...(isUbuntu ? ['# For source packages: Types: deb deb-src'] : []),
      'Types: deb',
      `URIs: ${isUbuntu ? `${mirror}/` : mirror}`,
      `Suites: ${suites.join(' ')}`,
      `Components: ${components.join(' ')}`,
      ...(signedBy === undefined ? [] : [`Signed-By: ${signedBy}`]),
      ...(ignoresExpiry ? ['Check-Valid-Until: no'] : []),
    ].join('\n'),
  )
  return `${stanzas.join('\n\n')}\n`
}

/** Removes user and password, because images are shared and exported; APT reads passwords from auth.conf(5). */
function withoutUser(mirror: string): string {
  return mirror.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}

/** Groups the pockets of one mirror with the same components. A pocket keeps only the components that its Release lists. */
function entriesOf(pockets: readonly UsedPocket[], wanted: readonly string[]): SourceEntry[] {
  const entries = new Map<string, SourceEntry>()
  for (const {mirror, suite, offered} of pockets) {
    const components = wanted.filter((component) => offered.includes(component))
    const key = [mirror, ...components].join(' ')
    const suites = [...(entries.get(key)?.suites ?? []), suite]
    entries.set(key, {mirror: withoutUser(mirror), suites, components})
  }
  return [...entries.values()]
}

/** The packages of a release could not be configured: a script failed, or dpkg reports a problem. `lastLines` are untrusted. */
export const bootstrapFailedError = defineError('ENVS_BOOTSTRAP_FAILED', ExitCode.host, {
  message: 'Could not make "{name}": {reason}.{lastLines}',
  nextStep: [
    'See the whole log: {log}',
    'If you added packages with --include, run the command again without them.',
  ],
})

/** The engine can start environments, but cannot run dpkg for a new image. */
export const bootstrapUnsupportedError = defineError('ENVS_BOOTSTRAP_UNSUPPORTED', ExitCode.host, {
  message:
    'Could not make "{name}": the engine {engine} cannot configure packages, which needs user namespaces.',
  nextStep: ['Use a published image: envs image search', seeChecks('user-namespaces')],
})

/** @public An option for images that are made from packages was given with another image. */
export const noArchiveImageError = defineError('ENVS_USAGE', ExitCode.usage, {
  message: '--include, --variant and --components are for images that envs makes from packages.',
  nextStep: 'Name a release of Debian or Ubuntu: trixie, noble/archive',
})
