import type {DebArchitecture} from '../host/architecture.js'
import type {Sha256} from '../host/digest.js'

/**
 * `base`, `daily`: Ubuntu Base; `cloud`, `minimal`: Ubuntu's cloud images; `default`: what a source has one of;
 * `archive`: made here from the packages of the release.
 */
export type Variant = 'base' | 'daily' | 'cloud' | 'minimal' | 'default' | 'archive'

/** An image by name, its release resolved against the catalogue. */
export type ImageQuery = {
  /** `ubuntu`, `debian`; with `lxc`, whatever that server has. */
  readonly distribution: string
  /** Codename, as in URLs: `focal`, `trixie`; for others what the server calls the release: `3.22`. */
  readonly suite: string
  /** `20.04`; undefined where the distribution has no numbers. */
  readonly version: string | undefined
  /** Undefined takes the sources' own order. */
  readonly variant: Variant | undefined
  /** Only this source: `lxc`. Undefined for all that know the distribution. */
  readonly source: string | undefined
  readonly architecture: DebArchitecture
}

/** Who signed a listing, and the very bytes that were verified; kept so that it can be done again offline. */
export type Evidence = {
  readonly listing: {readonly name: string; readonly bytes: Buffer}
  /** Undefined when the listing carries its signature inside (clearsigned). */
  readonly signature: {readonly name: string; readonly bytes: Buffer} | undefined
  /** URL of the listing, without secrets. */
  readonly url: string
  /** Fingerprint of the pinned primary key, 40 upper-case hex digits, and the name it is known by. */
  readonly signer: {readonly fingerprint: string; readonly name: string}
  readonly signedAt: Date
}

/** One published archive, its digest taken from a verified listing. */
export type PublishedImage = {
  /** Canonical name, as `envs create` takes it: `ubuntu:focal/base`. */
  readonly name: string
  /** Id of the source: `ubuntu-base`. */
  readonly source: string
  readonly suite: string
  readonly variant: Variant
  readonly architecture: DebArchitecture
  /** Point release or serial: `20.04.5`; the day its listing was signed where the folder tells neither. */
  readonly version: string
  readonly url: URL
  readonly sha256: Sha256
  /** Undefined where the listing has no sizes. */
  readonly sizeBytes: number | undefined
  readonly evidence: Evidence
}
