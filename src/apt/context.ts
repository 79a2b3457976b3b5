import {createHash} from 'node:crypto'
import type {DebArchitecture} from '../host/arch.js'
import type {Sha256} from '../host/digest.js'
import type {Host} from '../host/host.js'
import {redactUrl} from '../host/http/client.js'
import type {PinnedKeys, ScopedKeyring} from '../images/signature/keyring.js'
import type {SuitePlace} from './errors.js'

/** Where archives are, and by what they are judged. */
export type ArchiveContext = Pick<Host, 'environment' | 'which'> & {
  readonly paths: Pick<Host['paths'], 'data' | 'cache' | 'packages'>
  /** The user's own, URLs of folders without a slash at their end; they come before all others. */
  readonly mirrors: {
    readonly debian: string | undefined
    readonly debianSecurity: string | undefined
    readonly ubuntu: string | undefined
  }
  /** Further trusted keys, each for what lies below a URL. */
  readonly keyrings: readonly ScopedKeyring[]
  /** The built-in keys; others in tests. */
  readonly pinnedKeys?: PinnedKeys | undefined
  readonly now: Date
  /** Takes a Release whose time is over, and a mirror without a pocket for security. */
  readonly allowExpired?: boolean | undefined
  readonly allowSha1?: boolean | undefined
  /** Where the host has its APT sources: /etc/apt. */
  readonly aptFolder?: string
  readonly backoffMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: ArchiveEvent) => void) | undefined
  readonly onNotice?: ((notice: ArchiveNotice) => void) | undefined
}

export type ArchiveDistribution = 'debian' | 'ubuntu'

/** A release of a distribution; its caller knows the calendar, this room does not. */
export type ArchiveRelease = {
  readonly distribution: ArchiveDistribution
  /** `trixie`, `noble`: the name of the suite in URLs. */
  readonly codename: string
  /** `25.10`, `13`; undefined for those that never get one: `sid`. */
  readonly version: string | undefined
  /** The publisher may have moved it to the archive of old releases. */
  readonly hasMoved: boolean
}

/** `minbase`: what is required, and APT. `standard`: what is important too, as debootstrap has it without a variant. */
export type ArchiveVariant = 'minbase' | 'standard'

/** What somebody wants of a package archive. */
export type ArchiveRequest = {
  readonly release: ArchiveRelease
  readonly architecture: DebArchitecture
  readonly variant: ArchiveVariant
  /** Names of packages beside those of the variant, in any order. */
  readonly include: readonly string[]
  /** `main` alone where none is given. */
  readonly components: readonly string[]
}

export type PocketName = 'release' | 'updates' | 'security'

/** A pocket that packages were looked for in, as it was verified. */
export type UsedPocket = {
  readonly name: PocketName
  /** `trixie-security`, as it stands in APT's sources. */
  readonly suite: string
  /** URL of its archive, without a slash at its end and without a password. */
  readonly mirror: string
  readonly components: readonly string[]
  /** Of the file InRelease, or Release, byte for byte. */
  readonly inReleaseSha256: Sha256
  /** When the publisher made it, in its own words. */
  readonly date: Date
  readonly validUntil: Date | undefined
  readonly signer: {readonly fingerprint: string; readonly name: string}
}

/** One package to install. Texts are of a signed index, and were held against the rules of their fields. */
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
  /** What it takes on disk by its own account; 0 where it gives none. */
  readonly installedBytes: number
}

/** A set of packages that depends on nothing outside of itself. */
export type PackagePlan = {
  readonly release: ArchiveRelease
  readonly architecture: DebArchitecture
  readonly variant: ArchiveVariant
  readonly include: readonly string[]
  readonly components: readonly string[]
  /** The release itself first. */
  readonly pockets: readonly UsedPocket[]
  /** Returns the changes, ordered by name. */
  readonly packages: readonly PlannedPackage[]
  /** The latest date of the pockets: no part of what is planned is younger. */
  readonly date: Date
  /** Links of the root to folders in usr, to be made before any package is unpacked: `bin`, `sbin`, `lib`, `lib64`. */
  readonly rootLinks: readonly string[]
}

/** What the user has to be told while nothing fails. */
export type ArchiveNotice =
  /** Its Release is not there: 404. Packages come from the other pockets. */
  | {readonly kind: 'pocket-missing'; readonly suite: string; readonly mirror: string}
  /** It was to be used until then, and `allowExpired` has it used on. */
  | {
      readonly kind: 'release-expired'
      readonly suite: string
      readonly mirror: string
      readonly validUntil: Date
    }
  /** The mirror could not be reached; what was verified earlier and still holds is used. */
  | {
      readonly kind: 'release-from-cache'
      readonly suite: string
      readonly mirror: string
      readonly date: Date
      readonly reason: string
    }
  | {readonly kind: 'clock-behind'; readonly listing: string; readonly signedAt: Date; readonly now: Date}

/** How far it is. Bytes and counts are of all pockets, or packages, together. */
export type ArchiveEvent =
  | {readonly stage: 'release'; readonly suite: string}
  | {readonly stage: 'indices'; readonly receivedBytes: number; readonly totalBytes: number}
  /** The packages are being chosen. */
  | {readonly stage: 'selection'}
  | {
      readonly stage: 'packages'
      readonly receivedBytes: number
      readonly totalBytes: number
      readonly receivedCount: number
      readonly totalCount: number
    }
  | {readonly stage: 'retry'; readonly waitMs: number; readonly reason: string}

/** Where a suite is looked for: its URLs may hold a password. */
export type Place = SuitePlace & {
  /** URL of the archive as it is asked for, without a slash at its end. */
  readonly base: string
}

export function placeOf(base: string, suite: string): Place {
  return {base, suite, mirror: redactUrl(new URL(base)).replace(/\/+$/, '')}
}

/** The URL of a file below the archive's folder. */
export function urlBelow({base}: Pick<Place, 'base'>, path: string): URL {
  // A `+` of a version is itself in a path; `%` is not.
  return new URL(`${base}/${path.replaceAll('%', '%25')}`)
}

export function urlInSuite(place: Place, path: string): URL {
  return urlBelow(place, `dists/${place.suite}/${path}`)
}

/** A name for what is kept of a place: one that people can read, and of this place alone. */
export function keyOf({mirror, suite}: SuitePlace): string {
  const words = `${mirror}/${suite}`.replace(/^[a-z]+:\/\//, '').replace(/[^A-Za-z0-9.-]+/g, '_')
  const digest = createHash('sha256').update(`${mirror} ${suite}`).digest('hex')
  return `${words.slice(0, 80)}-${digest.slice(0, 16)}`
}
