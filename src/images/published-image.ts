import type {DebArchitecture} from '../host/architecture.js'

/**
 * `base`, `daily`: Ubuntu Base; `cloud`, `minimal`: Ubuntu's cloud images; `default`: what a source has one of;
 * `archive`: made here from the packages of the release.
 */
export type Variant = 'base' | 'daily' | 'cloud' | 'minimal' | 'default' | 'archive'

/** An image by name, its release resolved against the catalogue. */
export type ImageQuery = {
  /** `ubuntu`, `debian`; of a source with a scheme, whatever that server has. */
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

/** An image by name, as typed and as parsed. */
export type NamedReference = {readonly kind: 'name'; readonly text: string; readonly query: ImageQuery}

/** An image as the user names it, parsed once: what comes after the parser reads no text again. */
export type ImageReference =
  | NamedReference
  | {readonly kind: 'standard-input'}
  | {readonly kind: 'url'; readonly url: URL}
  /** `path` is absolute. */
  | {readonly kind: 'file'; readonly path: string}
