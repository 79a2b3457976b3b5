import type {DebArchitecture} from '../host/architecture.js'
import {nearestNames} from '../host/nearest.js'
import {type Catalogue, DISTRIBUTIONS, releaseWords, resolveRelease} from './catalog/catalogue.js'
import type {Release} from './catalog/release.js'
import {type UnknownImageError, unknownImageError} from './errors.js'
import type {ImageQuery, Variant} from './published-image.js'

type Options = {readonly catalogue: Catalogue; readonly architecture: DebArchitecture; readonly now: Date}

const VARIANTS: readonly Variant[] = ['base', 'minimal', 'cloud', 'daily', 'default', 'archive']

/** What may stand between the separators; it becomes a part of URLs and of environment names. */
const PART = /^[a-z0-9][a-z0-9._+-]{0,63}$/

const POINT_RELEASE = /^(?<release>\d{2}\.\d{2})\.\d{1,2}$/

/**
 * Reads the name of an image: `focal`, `20.04`, `ubuntu`, `ubuntu:focal/cloud`, `noble/archive`, `debian:13`,
 * `lxc:alpine/3.22`, `lxc:debian/trixie/cloud`. Upper case is taken as lower case.
 *
 * Debian publishes no images of its own: without a variant, one of its releases is made from its packages.
 *
 * @param now - Decides what `ubuntu` and `stable` stand for.
 * @throws {UnknownImageError} With the nearest names.
 */
export function parseImageName(text: string, options: Options): ImageQuery {
  const name = text.toLowerCase()
  const parts = name.split(/[:/]/)
  const [first = '', second, third] = parts
  const separators = name.replace(/[^:/]/g, '')
  if (!parts.every((part) => PART.test(part))) throw unknown(text, options)
  switch (separators) {
    case '':
      return catalogued(text, {word: first, variant: undefined}, options)
    case '/':
      return catalogued(text, {word: first, variant: parseVariant(text, second)}, options)
    case ':':
    case ':/':
      if (first === 'lxc' && second !== undefined && third !== undefined) {
        return onLxc(text, {distribution: second, word: third, variant: undefined}, options)
      }
      return ofDistribution(text, {distribution: first, word: second ?? '', variant: third}, options)
    case '://':
      if (first !== 'lxc') throw unknown(text, options)
      return onLxc(text, {distribution: second ?? '', word: third ?? '', variant: parts[3]}, options)
    default:
      throw unknown(text, options)
  }
}

/** The canonical name of an image, which `parseImageName` reads back: `ubuntu:focal/base`. */
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

function catalogued(
  text: string,
  {word, variant}: {word: string; variant: Variant | undefined},
  options: Options,
): ImageQuery {
  const release = resolveRelease(word, options.catalogue, options.now)
  if (release === undefined) throw unknown(text, options)
  const usual = release.distribution === 'debian' ? 'archive' : undefined
  return {
    ...queryOf(release),
    variant: variant ?? usual,
    source: undefined,
    architecture: options.architecture,
  }
}

function ofDistribution(
  text: string,
  {distribution, word, variant}: {distribution: string; word: string; variant: string | undefined},
  options: Options,
): ImageQuery {
  if (!DISTRIBUTIONS.some((known) => known === distribution))
    throw otherDistribution(text, distribution, word)
  const release = resolveRelease(word, options.catalogue, options.now)
  if (release?.distribution !== distribution) throw unknown(text, options)
  return catalogued(text, {word, variant: parseVariant(text, variant)}, options)
}

function onLxc(
  text: string,
  {distribution, word, variant}: {distribution: string; word: string; variant: string | undefined},
  {catalogue, architecture, now}: Options,
): ImageQuery {
  const release = resolveRelease(word, catalogue, now)
  const resolved =
    release?.distribution === distribution
      ? queryOf(release)
      : {distribution, suite: word, version: undefined}
  // What is made here comes from no server of images.
  if (variant === 'archive')
    throw unknownImageError({name: text}, {suggestions: [`Did you mean ${distribution}:${word}/archive?`]})
  return {...resolved, variant: parseVariant(text, variant), source: 'lxc', architecture}
}

function queryOf({
  distribution,
  codename,
  version,
}: Release): Pick<ImageQuery, 'distribution' | 'suite' | 'version'> {
  return {distribution, suite: codename, version}
}

function parseVariant(text: string, word: string | undefined): Variant | undefined {
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

function unknown(text: string, {catalogue, now}: Options): UnknownImageError {
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
  const nearest = nearestNames(word, releaseWords(catalogue)).map((name) => {
    const distribution = resolveRelease(name, catalogue, now)?.distribution
    // Without its distribution a name with a variant would be read as a path.
    return variant === undefined || distribution === undefined ? name : `${distribution}:${name}/${variant}`
  })
  const suggestions = nearest.map((name) => `Did you mean ${name}?`)
  return unknownImageError(
    {name: text},
    {suggestions: [...suggestions, 'See the images that exist: envs image search']},
  )
}

function otherDistribution(text: string, distribution: string, word: string): UnknownImageError {
  if (distribution === 'lxc') {
    return unknownImageError(
      {name: text},
      {suggestions: ['Name the distribution and its release: lxc:debian/trixie']},
    )
  }
  const nearest = nearestNames(distribution, DISTRIBUTIONS).map((name) => `Did you mean ${name}:${word}?`)
  return unknownImageError(
    {name: text},
    {
      suggestions: [
        ...nearest,
        `Other distributions come from images.linuxcontainers.org: lxc:${distribution}/${word}`,
        `See the images that exist: envs image search ${distribution}`,
      ],
    },
  )
}
