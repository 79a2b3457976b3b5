import type {DebArchitecture} from '../host/architecture.js'
import type {ArchiveRelease, ArchiveVariant} from './plan.js'

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
