import type {DebArchitecture} from '../host/machine/arch.js'
import type {ListingKind} from '../images/signature/keyring.js'
import type {ArchiveRelease, ArchiveVariant, PocketName} from './context.js'

/** A pocket: a part of a suite that is published separately. */
export type Pocket = {
  readonly name: PocketName
  /** Its name in APT's sources, and below dists/ in URLs. */
  readonly suite: string
  /** The required Codename of its Release. */
  readonly codename: string
  /** The required Suite of its Release; undefined if it changes over time: `stable`, `testing`. */
  readonly suiteField: string | undefined
  /** Whether a mirror may lack it. */
  readonly isOptional: boolean
  /** The kind of the listing, which selects its keys. */
  readonly kind: ListingKind
  /** The repository of the distribution that holds it. */
  readonly archive: 'main' | 'security'
}

/** Releases whose security suite has the old name `CODENAME/updates`. */
const OLD_SECURITY = ['wheezy', 'jessie', 'stretch', 'buster']

/** Returns the pockets of a release, the release pocket first. */
export function pocketsOf({distribution, codename}: ArchiveRelease): Pocket[] {
  const pocket = (name: PocketName): Pocket =>
    distribution === 'ubuntu' ? ubuntuPocket(name, codename) : debianPocket(name, codename)
  // sid is updated in place, and has no other pockets.
  if (distribution === 'debian' && codename === 'sid') return [pocket('release')]
  return [pocket('release'), pocket('updates'), pocket('security')]
}

/** Ubuntu's pockets have the same codename, differ in the field Suite, and are all in one repository. */
function ubuntuPocket(name: PocketName, codename: string): Pocket {
  const suite = name === 'release' ? codename : `${codename}-${name}`
  return {
    name,
    suite,
    codename,
    suiteField: suite,
    isOptional: name !== 'release',
    kind: 'ubuntu-archive',
    archive: 'main',
  }
}

/** Debian's pockets have different codenames; Suite changes with the next release. */
function debianPocket(name: PocketName, codename: string): Pocket {
  const isOldSecurity = name === 'security' && OLD_SECURITY.includes(codename)
  const suite = name === 'release' ? codename : isOldSecurity ? `${codename}/updates` : `${codename}-${name}`
  return {
    name,
    suite,
    codename: isOldSecurity ? codename : suite,
    suiteField: undefined,
    isOptional: name !== 'release',
    kind: name === 'security' ? 'debian-security' : 'debian-archive',
    archive: name === 'security' ? 'security' : 'main',
  }
}

/** Additional rules of a suite, as in debootstrap's scripts. */
export type SuiteRules = {
  /** Names of packages. */
  readonly extras: readonly string[]
  /** Selected only if there is no alternative. */
  readonly excluded: readonly string[]
  readonly rootLinks: readonly string[]
}

/**
 * Returns the rules of a release. bookworm has usr-is-merged, a marker package; since then usrmerge, which merges
 * /usr of a running system, is not wanted.
 *
 * @param isSecure - A mirror is read over https, for which APT needs certificates.
 */
export function rulesFor(
  release: ArchiveRelease,
  {
    architecture,
    variant,
    isSecure,
  }: {architecture: DebArchitecture; variant: ArchiveVariant; isSecure: boolean},
): SuiteRules {
  const {distribution, codename} = release
  const isMerged = isFrom(release, {debian: 10, ubuntu: 19.04})
  const carriesLinks = distribution === 'debian' && isFrom(release, {debian: 13, ubuntu: Infinity})
  const hasHttps = isFrom(release, {debian: 10, ubuntu: 17.1})
  return {
    extras: [
      ...(variant === 'minbase' || distribution === 'ubuntu' ? ['apt'] : []),
      ...(codename === 'bookworm' ? ['usr-is-merged'] : []),
      ...(isSecure ? ['ca-certificates', ...(hasHttps ? [] : ['apt-transport-https'])] : []),
    ],
    excluded: isFrom(release, {debian: 12, ubuntu: 21.04}) ? ['usrmerge'] : [],
    rootLinks: isMerged && !carriesLinks ? mergedFolders(architecture) : [],
  }
}

/** A release without a version, such as sid, is the newest. */
function isFrom(
  {distribution, version}: ArchiveRelease,
  first: Readonly<Record<ArchiveRelease['distribution'], number>>,
): boolean {
  return version === undefined || Number(version) >= first[distribution]
}

/** Architectures with their dynamic loader in /lib64, which then needs a link too. */
const LIB64: readonly DebArchitecture[] = ['amd64', 'loong64', 'ppc64el']

function mergedFolders(architecture: DebArchitecture): string[] {
  return ['bin', 'sbin', 'lib', ...(LIB64.includes(architecture) ? ['lib64'] : [])]
}
