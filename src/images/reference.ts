import {basename, resolve} from 'node:path'
import {UsageError} from '../errors.js'

/** What a user typed for an image, told apart by its form alone: nothing is looked up. */
export type ImageReference =
  | {readonly kind: 'standard-input'}
  | {readonly kind: 'url'; readonly url: URL}
  | {readonly kind: 'file'; readonly path: string}
  | {readonly kind: 'name'; readonly text: string; readonly sameNamedFile: string}

/** `scheme://`. @see RFC 3986, section 3.1 */
const URL_FORM = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\//i

/** Names archives of a rootfs go by; what is inside is told by its first bytes, never by this. */
const ARCHIVE_SUFFIX = /(\.tar)?\.(gz|xz|zst|zstd|bz2)$|\.(tar|tgz|txz|tzst|tbz2?)$/i

/** The longest environment name. */
const NAME_LENGTH = 63

/**
 * Reads an image reference: `-`, an http or https URL, a path, else a name.
 *
 * A path has a slash (`./x`, `images/x`), save `distribution:suite/variant` and `suite/archive`, which are names. A plain
 * word is a name even if a file is called so: what a command does must not hang on where it is run.
 *
 * @returns Absolute paths; `sameNamedFile` is where a file of that name would lie.
 * @throws {UsageError}
 */
export function parseImageReference(text: string, {workingFolder}: {workingFolder: string}): ImageReference {
  if (text === '') throw new UsageError('The name of the image is empty.')
  if (text === '-') return {kind: 'standard-input'}
  const scheme = URL_FORM.exec(text)?.groups?.['scheme']?.toLowerCase()
  if (scheme !== undefined) return {kind: 'url', url: parseUrl(text, scheme)}
  if (isPath(text)) return {kind: 'file', path: resolve(workingFolder, text)}
  return {kind: 'name', text, sameNamedFile: resolve(workingFolder, text)}
}

/** Tells whether a name ends as archives do, so that the user meant a file. */
export function hasArchiveSuffix(name: string): boolean {
  return ARCHIVE_SUFFIX.test(name)
}

/**
 * The environment name an image gives when the user gives none: `Rootfs.tar.gz` makes `rootfs`, `ubuntu:focal/cloud`
 * makes `focal-cloud`.
 *
 * @returns A valid environment name, or undefined when nothing usable is left (standard input, `..`).
 */
export function environmentNameFor(reference: ImageReference): string | undefined {
  const name = shortName(reference)
    .replace(ARCHIVE_SUFFIX, '')
    .toLowerCase()
    .replace(/[^a-z0-9_.-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, NAME_LENGTH)
    .replace(/[_.-]+$/, '')
  return name === '' ? undefined : name
}

/** A release, and the one variant that needs no distribution before it. */
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
    // The text itself stays out of the message: a password may be what is wrong with it.
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
    case 'name':
      // A codename says it all, a number does not: ubuntu:focal is focal, debian:13 is debian-13.
      return reference.text.replace(/^lxc:|^[^:]*:(?=[a-z])/i, '')
    case 'url':
      return decoded(basename(reference.url.pathname))
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    if (error instanceof URIError) return segment
    throw error
  }
}
