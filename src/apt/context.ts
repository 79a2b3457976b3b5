import {createHash} from 'node:crypto'
import type {Sha256} from '../host/digest.js'
import type {Host} from '../host/host.js'
import {redactUrl} from '../host/http/client.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import type {PinnedKeys, ScopedKeyring} from '../images/signature/keyring.js'
import type {SuitePlace} from './errors.js'

/** Mirrors, trusted keys and options for APT repositories. */
export type ArchiveContext = Pick<Host, 'environment' | 'which'> & {
  readonly paths: Pick<Host['paths'], 'data' | 'cache' | 'packages'>
  /** The user's mirrors, URLs of folders without a slash at their end; they take precedence over all others. */
  readonly mirrors: {
    readonly debian: string | undefined
    readonly debianSecurity: string | undefined
    readonly ubuntu: string | undefined
  }
  /** Additional trusted keys, each for the URLs below a mirror. */
  readonly keyrings: readonly ScopedKeyring[]
  /** The built-in keys; tests replace them. */
  readonly pinnedKeys?: PinnedKeys | undefined
  readonly now: Date
  /** Accepts an expired Release, and a mirror without a security pocket. */
  readonly allowExpired?: boolean | undefined
  readonly allowSha1?: boolean | undefined
  /** Folder of the host's APT configuration: /etc/apt. */
  readonly aptFolder?: string
  readonly backoffMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: ArchiveEvent) => void) | undefined
  readonly onNotice?: ((notice: ArchiveNotice) => void) | undefined
}

export type ArchiveDistribution = 'debian' | 'ubuntu'

/** A release of a distribution. The caller knows the release calendar, this room does not. */
export type ArchiveRelease = {
  readonly distribution: ArchiveDistribution
  /** `trixie`, `noble`: the name of the suite in URLs. */
  readonly codename: string
  /** `25.10`, `13`; undefined for a release without a number: `sid`. */
  readonly version: string | undefined
  /** Whether the publisher may have moved it to the repository of old releases. */
  readonly hasMoved: boolean
}

/** `minbase`: required packages and APT. `standard`: important packages too, as debootstrap's default. */
export type ArchiveVariant = 'minbase' | 'standard'

/** A request for a set of packages. */
export type ArchiveRequest = {
  readonly release: ArchiveRelease
  readonly architecture: DebArchitecture
  readonly variant: ArchiveVariant
  /** Additional packages, in any order. */
  readonly include: readonly string[]
  /** Empty: only `main`. */
  readonly components: readonly string[]
}

export type PocketName = 'release' | 'updates' | 'security'

/** A verified pocket that the packages were selected from. */
export type UsedPocket = {
  readonly name: PocketName
  /** `trixie-security`, as in APT's sources. */
  readonly suite: string
  /** URL of the repository, without a slash at its end and without a password. */
  readonly mirror: string
  readonly components: readonly string[]
  /** The components that its Release lists. */
  readonly offered: readonly string[]
  /** Digest of the file InRelease, or Release. */
  readonly inReleaseSha256: Sha256
  /** The publisher's date. */
  readonly date: Date
  readonly validUntil: Date | undefined
  readonly signer: {readonly fingerprint: string; readonly name: string}
}

/** One package to install. Its texts come from a signed index, and are checked against the rules of their fields. */
export type PlannedPackage = {
  readonly name: string
  readonly version: string
  /** The plan's architecture, or `all`. */
  readonly architecture: string
  readonly isEssential: boolean
  readonly priority: string
  readonly pocket: PocketName
  readonly url: URL
  readonly sizeBytes: number
  readonly sha256: Sha256
  /** Installed size as declared; 0 if not declared. */
  readonly installedBytes: number
}

/** A set of packages that is closed under dependencies. */
export type PackagePlan = {
  readonly release: ArchiveRelease
  readonly architecture: DebArchitecture
  readonly variant: ArchiveVariant
  readonly include: readonly string[]
  readonly components: readonly string[]
  /** The release pocket first. */
  readonly pockets: readonly UsedPocket[]
  /** Ordered by name. */
  readonly packages: readonly PlannedPackage[]
  /** The latest date of the pockets: no package is newer. */
  readonly date: Date
  /** Symlinks from the root into usr, which must exist before a package is unpacked: `bin`, `sbin`, `lib`, `lib64`. */
  readonly rootLinks: readonly string[]
}

/** A warning that does not stop the command. */
export type ArchiveNotice =
  /** The mirror has no Release for it (404); packages come from the other pockets. */
  | {readonly kind: 'pocket-missing'; readonly suite: string; readonly mirror: string}
  /** The Release has expired, and `allowExpired` accepts it. */
  | {
      readonly kind: 'release-expired'
      readonly suite: string
      readonly mirror: string
      readonly validUntil: Date
    }
  /** The mirror is unreachable; a cached Release that is still valid is used. */
  | {
      readonly kind: 'release-from-cache'
      readonly suite: string
      readonly mirror: string
      readonly date: Date
      readonly reason: string
    }
  | {readonly kind: 'clock-behind'; readonly listing: string; readonly signedAt: Date; readonly now: Date}

/** Progress. Bytes and counts are totals over all pockets, or all packages. */
export type ArchiveEvent =
  | {readonly stage: 'release'; readonly suite: string}
  | {readonly stage: 'indices'; readonly receivedBytes: number; readonly totalBytes: number}
  /** The packages are being selected. */
  | {readonly stage: 'selection'}
  | {
      readonly stage: 'packages'
      readonly receivedBytes: number
      readonly totalBytes: number
      readonly receivedCount: number
      readonly totalCount: number
    }
  | {readonly stage: 'retry'; readonly waitMs: number; readonly reason: string}

/** A suite at a mirror; the URLs may hold a password. */
export type MirrorSuite = SuitePlace & {
  /** URL of the repository for requests, without a slash at its end. */
  readonly base: string
}

export function placeOf(base: string, suite: string): MirrorSuite {
  return {base, suite, mirror: redactUrl(new URL(base)).replace(/\/+$/, '')}
}

/** Returns the URL of a file below the folder of the repository. */
export function urlBelow({base}: Pick<MirrorSuite, 'base'>, path: string): URL {
  // A `+` in a version stays as it is in a path; `%` does not.
  return new URL(`${base}/${path.replaceAll('%', '%25')}`)
}

export function urlInSuite(place: MirrorSuite, path: string): URL {
  return urlBelow(place, `dists/${place.suite}/${path}`)
}

/** Returns a file name for cached data of a place: readable, and unique. */
export function keyOf({mirror, suite}: SuitePlace): string {
  const words = `${mirror}/${suite}`.replace(/^[a-z]+:\/\//, '').replace(/[^A-Za-z0-9.-]+/g, '_')
  const digest = createHash('sha256').update(`${mirror} ${suite}`).digest('hex')
  return `${words.slice(0, 80)}-${digest.slice(0, 16)}`
}
