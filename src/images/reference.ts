import {stat} from 'node:fs/promises'
import {basename, join, resolve} from 'node:path'
import {UsageError} from '../errors.js'
import {isSha256, type Sha256} from '../host/digest.js'
import {ignoring} from '../host/errno.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import {nearestNames} from '../host/nearest.js'
import {parseRegistryReference} from '../registry/reference.js'
import {type Catalogue, DISTRIBUTIONS, readCatalogue, resolveRelease} from './catalog/catalog.js'
import {UnknownImageError, unknownImageError} from './errors.js'
import {
  hubHints,
  type ImageQuery,
  type ImageReference,
  isNamePart,
  type NameOptions,
  parseVariant,
  queryOfRelease,
  unknownImage,
  type Variant,
} from './name.js'
import {ARCHIVE_SUFFIX, type ContainerLocation, type LocalLocation, shortNameOf} from './oci/location.js'
import {SOURCES} from './sources/index.js'

type ReferenceOptions = {
  readonly workingFolder: string
  readonly architecture: DebArchitecture
  readonly now: Date
  /** Default: the host's catalogue. */
  readonly catalogue?: Catalogue
}

/** `scheme://`. @see RFC 3986, section 3.1 */
const URL_FORM = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\//i

/** The longest environment name. */
const NAME_LENGTH = 63

/**
 * Parses an image reference: `-`, an http or https URL, an image of containers, a path, else a name.
 *
 * An image of containers has a scheme (`docker://`, `oci:`, `oci-archive:`, `docker-archive:`), or begins with the name of a host.
 *
 * A path contains a slash (`./x`, `images/x`), except `distribution:suite/variant` and `suite/archive`, which are
 * names. A plain word is a name even if a file has that name: the meaning of a command must not depend on the
 * working folder.
 *
 * @throws {UsageError}
 * @throws {UnknownImageError} With the nearest names, or with the path of the file that was meant.
 */
export async function parseImageReference(text: string, options: ReferenceOptions): Promise<ImageReference> {
  const {workingFolder, architecture, now} = options
  if (text === '') throw new UsageError('The name of the image is empty.')
  if (text === '-') return {kind: 'standard-input'}
  const location = parseContainer(text, workingFolder)
  if (location !== undefined) return {kind: 'container', location, architecture}
  const scheme = URL_FORM.exec(text)?.groups?.['scheme']?.toLowerCase()
  if (scheme !== undefined) return {kind: 'url', url: parseUrl(text, scheme)}
  if (isPath(text)) return fileOrContainer(resolve(workingFolder, text), architecture)
  const catalogue = options.catalogue ?? (await readCatalogue())
  try {
    return {kind: 'name', text, query: parseImageName(text, {catalogue, architecture, now})}
  } catch (error) {
    const hints = error instanceof UnknownImageError ? await fileHints(text, workingFolder) : []
    throw hints.length === 0 ? error : unknownImageError({name: text}, {suggestions: hints})
  }
}

/**
 * Parses the name of an image: `focal`, `20.04`, `ubuntu`, `ubuntu:focal/cloud`, `noble/archive`, `debian:13`,
 * `lxc:alpine/3.22`, `lxc:debian/trixie/cloud`. Case is ignored.
 *
 * Debian publishes no images: without a variant, a Debian release is built from its packages.
 *
 * @throws {UnknownImageError} With the nearest names.
 */
export function parseImageName(text: string, options: NameOptions): ImageQuery {
  const name = text.toLowerCase()
  const [front = '', ...rest] = name.split(':')
  const own = SOURCES.find(({scheme}) => scheme !== undefined && scheme.word === front)
  if (own?.scheme !== undefined && rest.length > 0) {
    return own.scheme.parse(rest.join(':'), {...options, text})
  }
  const parts = name.split(/[:/]/)
  const [first = '', second, third] = parts
  if (!parts.every(isNamePart)) throw unknownImage(text, options)
  switch (name.replace(/[^:/]/g, '')) {
    case '':
      return queryFromCatalogue(text, {word: first, variant: undefined}, options)
    case '/':
      return queryFromCatalogue(text, {word: first, variant: parseVariant(text, second)}, options)
    case ':':
    case ':/':
      return queryOfDistribution(text, {distribution: first, word: second ?? '', variant: third}, options)
    default:
      throw unknownImage(text, options)
  }
}

/**
 * Returns the default environment name of an image: `Rootfs.tar.gz` gives `rootfs`, `ubuntu:focal/cloud` gives
 * `focal-cloud`.
 *
 * @returns A valid environment name, or undefined if no valid character is left (standard input, `..`).
 */
export function environmentNameFor(reference: ImageReference): string | undefined {
  const short = shortName(reference)
  const name = (reference.kind === 'container' ? short : short.replace(ARCHIVE_SUFFIX, ''))
    .toLowerCase()
    .replace(/[^a-z0-9_.-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, NAME_LENGTH)
    .replace(/[_.-]+$/, '')
  return name === '' ? undefined : name
}

/** A file with images of containers, or a folder with a layout, is one image of containers. */
async function fileOrContainer(path: string, architecture: DebArchitecture): Promise<ImageReference> {
  const status = await stat(path).catch(ignoring())
  const location = (kind: LocalLocation['kind']) => ({kind, path, tag: undefined})
  if (status?.isDirectory() === true && (await exists(join(path, 'oci-layout'))))
    return {kind: 'container', location: location('folder'), architecture}
  if (status?.isFile() !== true) return {kind: 'file', path}
  const {isImageArchive} = await import('./oci/archive-index.js')
  const {beginsAsCompressedImages} = await import('./oci/compressed-archive.js')
  return isImageArchive(path) || (await beginsAsCompressedImages(path))
    ? {kind: 'container', location: location('archive'), architecture}
    : {kind: 'file', path}
}

/** The first part of a name that can be nothing but a host: with a domain, a port or four numbers. */
const HOST_PART =
  /^(?:(?:[a-z0-9-]+\.)+[a-z]{2,}|localhost|[a-z0-9-]+(?=:)|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\])(?::\d{1,5})?$/i

/**
 * Parses the reference of an image of containers.
 *
 * @returns undefined for any other reference. @throws {@link badReferenceError} @throws {UsageError}
 */
export function parseContainer(text: string, workingFolder: string): ContainerLocation | undefined {
  const [, scheme, rest = ''] = /^(docker:\/\/|oci:|oci-archive:|docker-archive:)(.*)$/is.exec(text) ?? []
  switch (scheme?.toLowerCase()) {
    case 'docker://':
      return {kind: 'registry', reference: parseRegistryReference(rest)}
    case 'oci:':
      return /^\.{0,2}\/|^\.{1,2}$/.test(rest)
        ? localLocation('folder', rest, workingFolder)
        : {kind: 'registry', reference: parseRegistryReference(rest)}
    case 'oci-archive:':
    case 'docker-archive:':
      return localLocation('archive', rest, workingFolder)
  }
  const [host = '', ...parts] = text.split('/')
  // `debian:12/archive` is not a host with a port.
  const isRelease = DISTRIBUTIONS.some((known) => host.toLowerCase().startsWith(`${known}:`))
  const isHost = parts.length > 0 && HOST_PART.test(host) && !isRelease && !ARCHIVE_NAME.test(text)
  if (!isHost || ARCHIVE_SUFFIX.test(parts.at(-1) ?? '')) return undefined
  return {kind: 'registry', reference: parseRegistryReference(text)}
}

/** Parses `PATH[:NAME]`, where NAME may be `NAME:TAG` of a registry. */
function localLocation(kind: LocalLocation['kind'], text: string, workingFolder: string): LocalLocation {
  const {path = '', tag} = /^(?<path>[^:]*)(?::(?<tag>.+))?$/s.exec(text)?.groups ?? {}
  if (path === '') throw new UsageError('The path of the image is empty.', ['Write oci:./FOLDER:TAG'])
  return {kind, path: resolve(workingFolder, path), tag}
}

function queryFromCatalogue(
  text: string,
  {word, variant}: {word: string; variant: Variant | undefined},
  options: NameOptions,
): ImageQuery {
  const release = resolveRelease(word, options.catalogue, options.now)
  if (release === undefined) throw unknownImage(text, options)
  const usual = release.distribution === 'debian' ? 'archive' : undefined
  return {
    ...queryOfRelease(release),
    variant: variant ?? usual,
    source: undefined,
    architecture: options.architecture,
  }
}

function queryOfDistribution(
  text: string,
  {distribution, word, variant}: {distribution: string; word: string; variant: string | undefined},
  options: NameOptions,
): ImageQuery {
  if (!DISTRIBUTIONS.some((known) => known === distribution))
    throw unknownDistribution(text, distribution, word)
  const release = resolveRelease(word, options.catalogue, options.now)
  if (release?.distribution !== distribution) throw unknownImage(text, options)
  return queryFromCatalogue(text, {word, variant: parseVariant(text, variant)}, options)
}

function unknownDistribution(text: string, distribution: string, word: string): UnknownImageError {
  const nearest = nearestNames(distribution, DISTRIBUTIONS).map((name) => `Did you mean ${name}:${word}?`)
  return unknownImageError(
    {name: text},
    {
      suggestions: [
        ...nearest,
        `Other distributions come from images.linuxcontainers.org: lxc:${distribution}/${word}`,
        `See the images that exist: envs image search ${distribution}`,
        ...(nearest.length === 0 ? hubHints(text.toLowerCase()) : []),
      ],
    },
  )
}

/** Returns next steps if the text looks like a file name, else none. */
async function fileHints(text: string, workingFolder: string): Promise<string[]> {
  if (await exists(resolve(workingFolder, text))) return [`To use the file with that name, write ./${text}`]
  if (ARCHIVE_SUFFIX.test(text))
    return [`To use a file, give its path, such as ./${text}; there is no such file here.`]
  return []
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** `RELEASE/archive`, the one variant that needs no distribution prefix. */
const ARCHIVE_NAME = /^[a-z0-9][a-z0-9.]*\/archive$/i

function isPath(text: string): boolean {
  if (ARCHIVE_NAME.test(text)) return false
  const [front = '', ...rest] = text.split('/')
  return text === '.' || text === '..' || (rest.length > 0 && !front.includes(':'))
}

function parseUrl(text: string, scheme: string): URL {
  if (scheme === 'file') {
    throw new UsageError('envs does not take file: URLs.', ['Give the path of the file.'])
  }
  if (scheme !== 'http' && scheme !== 'https') {
    throw new UsageError(`envs does not support ${scheme}: URLs.`, ['Give an http: or https: URL.'])
  }
  try {
    const url = new URL(text)
    url.hash = ''
    return url
  } catch (cause) {
    // The message omits the URL, whose malformed part may be a password.
    if (errorIsInvalidUrl(cause)) throw new UsageError(`The ${scheme}: URL of the image is malformed.`)
    throw cause
  }
}

function errorIsInvalidUrl(error: unknown): boolean {
  return error instanceof TypeError && 'code' in error && error.code === 'ERR_INVALID_URL'
}

function shortName(reference: ImageReference): string {
  switch (reference.kind) {
    case 'standard-input':
      return ''
    case 'file':
      return basename(reference.path)
    case 'container':
      return shortNameOf(reference.location)
    case 'name':
      // A codename is unique, a version is not: `ubuntu:focal` gives `focal`, `debian:13` gives `debian-13`.
      return reference.query.source === undefined
        ? reference.text.replace(/^[^:]*:(?=[a-z])/i, '')
        : reference.text.slice(reference.query.source.length + 1)
    case 'url':
      return decodeSegment(basename(reference.url.pathname))
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    if (error instanceof URIError) return segment
    throw error
  }
}

/**
 * Parses a digest from the command line: 64 hexadecimal digits in any case, optionally prefixed with `sha256:`.
 *
 * @throws {UsageError}
 */
export function parseSha256(text: string): Sha256 {
  const digits = text
    .trim()
    .toLowerCase()
    .replace(/^sha256:/, '')
  if (isSha256(digits)) return digits
  throw new UsageError(`${JSON.stringify(text)} is not a SHA-256 digest.`, [
    'Give its 64 hexadecimal digits, as sha256sum prints them.',
  ])
}
