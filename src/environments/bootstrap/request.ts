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

/**
 * Returns the APT sources for a tree that was made from these pockets.
 *
 * @param options.ignoresExpiry - Turns `Valid-Until` off, for a mirror that is no longer updated.
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
  const stanzas = groupByMirror(pockets).map((same) =>
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

/** Removes user and password, because images are shared and exported; APT reads passwords from auth.conf(5). */
function withoutUser(mirror: string): string {
  return mirror.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}

/** Groups the pockets of one mirror with the same components, which share a stanza. */
function groupByMirror(pockets: readonly UsedPocket[]): UsedPocket[][] {
  const groups = new Map<string, UsedPocket[]>()
  for (const pocket of pockets) {
    const key = [pocket.mirror, ...pocket.components].join(' ')
    groups.set(key, [...(groups.get(key) ?? []), pocket])
  }
  return [...groups.values()]
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
