import type {DebArchitecture} from '../host/machine/arch.js'
import {nearestNames} from '../host/nearest.js'
import {type Catalogue, type Release, releaseWords, resolveRelease} from './catalog/catalog.js'
import {type UnknownImageError, unknownImageError} from './errors.js'
import type {ContainerLocation} from './oci/location.js'

/**
 * Variants: `base` and `daily` are Ubuntu Base; `cloud` and `minimal` are Ubuntu's cloud images; `default` is the
 * only variant of a source; `archive` is built here from packages.
 */
export type Variant = 'base' | 'daily' | 'cloud' | 'minimal' | 'default' | 'archive'

/** An image by name, its release resolved against the catalogue. */
export type ImageQuery = {
  /** `ubuntu`, `debian`; with a scheme, any name that its server uses. */
  readonly distribution: string
  /** Codename, as in URLs: `focal`, `trixie`; for other distributions the server's name of the release: `3.22`. */
  readonly suite: string
  /** `20.04`; undefined where the distribution has no numbers. */
  readonly version: string | undefined
  /** Undefined: the sources decide, in their order. */
  readonly variant: Variant | undefined
  /** Only this source: `lxc`. Undefined: all sources that know the distribution. */
  readonly source: string | undefined
  readonly architecture: DebArchitecture
}

/** An image by name, as typed and as parsed. */
export type NamedReference = {readonly kind: 'name'; readonly text: string; readonly query: ImageQuery}

/** An image as the user names it. It is parsed once; later code reads no text again. */
export type ImageReference =
  | NamedReference
  | {readonly kind: 'standard-input'}
  | {readonly kind: 'url'; readonly url: URL}
  /** `path` is absolute. */
  | {readonly kind: 'file'; readonly path: string}
  | ContainerReference

/** An image of containers, in a registry, a folder or an archive. */
export type ContainerReference = {
  readonly kind: 'container'
  readonly location: ContainerLocation
  /** The wanted one of the platforms of the image. */
  readonly architecture: DebArchitecture
}

/** @property now - Decides what `ubuntu` and `stable` stand for. */
export type NameOptions = {
  readonly catalogue: Catalogue
  readonly architecture: DebArchitecture
  readonly now: Date
}

const VARIANTS: readonly Variant[] = ['base', 'minimal', 'cloud', 'daily', 'default', 'archive']

/** Part of a name between separators; it becomes part of URLs and environment names. */
const NAME_PART = /^[a-z0-9][a-z0-9._+-]{0,63}$/

const POINT_RELEASE = /^(?<release>\d{2}\.\d{2})\.\d{1,2}$/

export function isNamePart(word: string): boolean {
  return NAME_PART.test(word)
}

/**
 * Parses a variant.
 *
 * @param text - The whole name, for messages. @throws {UnknownImageError} With the nearest variants.
 */
export function parseVariant(text: string, word: string | undefined): Variant | undefined {
  if (word === undefined) return undefined
  const variant = VARIANTS.find((known) => known === word)
  if (variant !== undefined) return variant
  const name = text.slice(0, -word.length - 1)
  const nearest = nearestNames(word, VARIANTS)
  throw unknownImageError(
    {name: text},
    {suggestions: (nearest.length > 0 ? nearest : VARIANTS).map((known) => `Did you mean ${name}/${known}?`)},
  )
}

/** Returns the canonical name of an image, which `parseImageName` reads back: `ubuntu:focal/base`. */
export function imageName(parts: {
  readonly source: string | undefined
  readonly distribution: string
  readonly suite: string
  readonly variant: Variant | undefined
}): string {
  const {source, distribution, suite, variant} = parts
  const release = source === undefined ? `${distribution}:${suite}` : `${source}:${distribution}/${suite}`
  return variant === undefined || variant === 'default' ? release : `${release}/${variant}`
}

export function queryOfRelease({
  distribution,
  codename,
  version,
}: Release): Pick<ImageQuery, 'distribution' | 'suite' | 'version'> {
  return {distribution, suite: codename, version}
}

/** Distributions that only images.linuxcontainers.org has, each with a release whose name stays the same, if any. */
const OTHER_DISTRIBUTIONS: Readonly<Record<string, string | undefined>> = {
  almalinux: undefined,
  alpine: 'edge',
  archlinux: 'current',
  centos: undefined,
  devuan: undefined,
  fedora: undefined,
  gentoo: 'current',
  kali: 'current',
  mint: undefined,
  nixos: undefined,
  opensuse: 'tumbleweed',
  oracle: undefined,
  rockylinux: undefined,
  slackware: undefined,
  voidlinux: 'current',
}

/** Usual short names. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  alma: 'almalinux',
  arch: 'archlinux',
  rocky: 'rockylinux',
  suse: 'opensuse',
  void: 'voidlinux',
}

/** Returns next steps for the name of a distribution that is neither Ubuntu nor Debian. */
function otherDistributionHints(word: string): string[] {
  const distribution = Object.hasOwn(SHORT_NAMES, word) ? SHORT_NAMES[word] : word
  if (distribution === undefined || !Object.hasOwn(OTHER_DISTRIBUTIONS, distribution)) return []
  const release = OTHER_DISTRIBUTIONS[distribution]
  const name = `lxc:${distribution}/${release ?? 'RELEASE'}`
  return [
    `Its images come from images.linuxcontainers.org, and have names such as ${name}`,
    `See its releases: envs image search ${distribution}`,
    ...(HUB_DISTRIBUTIONS.has(distribution) ? hubHints(distribution) : []),
  ]
}

/** `ubuntu20.04`, `Ubuntu-20.04`, `debian:bookworm-slim`, `ubuntu:latest`: names of other tools. The text is in lower case. */
const OTHER_SPELLING = /^(?<distribution>ubuntu|debian)[:_-]?(?<release>[a-z0-9.]*?)(?:-slim)?$/

/** Returns the name of envs for a name of another tool; undefined where the release is unknown. */
function usualSpelling(text: string, {catalogue, now}: NameOptions): string | undefined {
  const {distribution, release} = OTHER_SPELLING.exec(text)?.groups ?? {}
  if (distribution === undefined || release === undefined) return undefined
  if (release === 'latest') return distribution
  return resolveRelease(release, catalogue, now)?.distribution === distribution
    ? `${distribution}:${release}`
    : undefined
}

/** Distributions with an official image of this name on Docker Hub. */
const HUB_DISTRIBUTIONS: ReadonlySet<string> = new Set(['almalinux', 'alpine', 'archlinux', 'fedora'])

/** Names of images on Docker Hub, as people write them for other tools. */
const HUB_NAME = /^[a-z0-9]+(?:[._-][a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-][a-z0-9]+)*)?(?::\w[\w.-]{0,127})?$/

/** Returns the step to an image of Docker Hub, for a name that could be one. */
export function hubHints(text: string): string[] {
  return HUB_NAME.test(text) ? [`To use the image of Docker Hub with that name: docker://${text}`] : []
}

/** Returns the error for an unknown name, with the nearest names. */
export function unknownImage(text: string, {catalogue, now, architecture}: NameOptions): UnknownImageError {
  const [word = '', variant] = text
    .toLowerCase()
    .replace(/^[^:]*:/, '')
    .split('/')
  const release = POINT_RELEASE.exec(word)?.groups?.['release']
  if (release !== undefined && releaseWords(catalogue).includes(release)) {
    return unknownImageError(
      {name: text},
      {
        suggestions: [`envs has no separate point releases: use ${release} for the newest one.`],
      },
    )
  }
  const usual = usualSpelling(text.toLowerCase(), {catalogue, now, architecture})
  // A tag or a folder in the name is a habit from other tools; a plain word may be a spelling mistake.
  const hub = /[:/]/.test(text) ? hubHints(text.toLowerCase()) : []
  if (usual !== undefined)
    return unknownImageError({name: text}, {suggestions: [`Did you mean ${usual}?`, ...hub]})
  const others = variant === undefined ? otherDistributionHints(word) : []
  if (others.length > 0) return unknownImageError({name: text}, {suggestions: others})
  const nearest = nearestNames(word, releaseWords(catalogue)).map((name) => {
    const distribution = resolveRelease(name, catalogue, now)?.distribution
    // Without its distribution, a name with a variant would be read as a path.
    return variant === undefined || distribution === undefined ? name : `${distribution}:${name}/${variant}`
  })
  const suggestions = nearest.map((name) => `Did you mean ${name}?`)
  return unknownImageError(
    {name: text},
    {
      suggestions: [
        ...suggestions,
        'See the images that exist: envs image search',
        ...(nearest.length === 0 ? hub : []),
      ],
    },
  )
}
