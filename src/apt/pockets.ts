import type {DebArchitecture} from '../host/arch.js'
import type {ListingKind} from '../images/signature/keyring.js'
import type {ArchiveRelease, ArchiveVariant, PocketName} from './context.js'

/** A part of a suite that is published by itself. */
export type Pocket = {
  readonly name: PocketName
  /** As it is written in APT's sources, and below dists/ in URLs. */
  readonly suite: string
  /** What its Release must say it is, where it says it. */
  readonly codename: string
  /** Undefined where the publisher changes it from day to day: `stable`, `testing`. */
  readonly suiteField: string | undefined
  /** A mirror need not have it. */
  readonly isOptional: boolean
  /** Whose keys sign it. */
  readonly kind: ListingKind
  /** Which of a distribution's archives holds it. */
  readonly archive: 'main' | 'security'
}

/** These have an archive of their own for security below another name. */
const OLD_SECURITY = ['wheezy', 'jessie', 'stretch', 'buster']

/** The pockets a release is made of, itself first. */
export function pocketsOf({distribution, codename}: ArchiveRelease): Pocket[] {
  const pocket = (name: PocketName): Pocket =>
    distribution === 'ubuntu' ? ubuntuPocket(name, codename) : debianPocket(name, codename)
  // Nothing comes after it but its next state.
  if (distribution === 'debian' && codename === 'sid') return [pocket('release')]
  return [pocket('release'), pocket('updates'), pocket('security')]
}

/** All of one codename, told apart by the field Suite; and all in the archive, the one for security too. */
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

/** Each of a codename of its own; Suite changes with the next release. */
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

/** What a suite needs beside what its index says; debootstrap's scripts have the same. */
export type SuiteRules = {
  /** Names of packages. */
  readonly extras: readonly string[]
  /** Taken only where nothing else will do. */
  readonly excluded: readonly string[]
  readonly rootLinks: readonly string[]
}

/**
 * Rules by release: bookworm has a package that says that /usr is merged; from then on usrmerge, which merges it on a running
 * system, is not wanted.
 *
 * @param isSecure - A mirror is asked by https, which APT needs certificates for.
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

/** Those without a version, as sid is, are newer than all that have one. */
function isFrom(
  {distribution, version}: ArchiveRelease,
  first: Readonly<Record<ArchiveRelease['distribution'], number>>,
): boolean {
  return version === undefined || Number(version) >= first[distribution]
}

/** Where the dynamic loader of an architecture is in /lib64, that leads to usr too. */
const LIB64: readonly DebArchitecture[] = ['amd64', 'loong64', 'ppc64el']

function mergedFolders(architecture: DebArchitecture): string[] {
  return ['bin', 'sbin', 'lib', ...(LIB64.includes(architecture) ? ['lib64'] : [])]
}
