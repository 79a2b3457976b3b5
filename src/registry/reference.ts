import {isOciDigest, type OciDigest} from './descriptor.js'
import {badReferenceError} from './errors.js'

/** The name of an image in a registry. */
export type RegistryReference = {
  /** As people write it: `docker.io`, `ghcr.io`, `localhost:5000`. */
  readonly host: string
  /** `library/debian`. */
  readonly repository: string
  readonly tag: string | undefined
  readonly digest: OciDigest | undefined
}

export const DOCKER_HUB = 'docker.io'

/** Other names of Docker Hub: its API, and its name in configuration files. */
const HUB_NAMES: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io'])

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:.]+\\])(?::[0-9]{1,5})?$`)
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^\w[\w.-]{0,127}$/

/** The longest name of a repository, its host included, that registries take. */
const MOST_LENGTH = 255

/**
 * Parses `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, as podman and Docker do; without a host it is an image of Docker Hub.
 *
 * @param text - Without a scheme.
 * @throws {@link badReferenceError}
 * @see https://github.com/distribution/reference/blob/main/reference.go
 */
export function parseRegistryReference(text: string): RegistryReference {
  const refuse = (reason: string, suggestions: readonly string[] = []) =>
    badReferenceError({text, reason}, {hints: suggestions})
  const [named = '', digest, ...more] = text.split('@')
  if (more.length > 0 || (digest !== undefined && !isOciDigest(digest)))
    throw refuse('its digest is not "sha256:" and 64 hexadecimal digits')
  const [first = '', ...rest] = named.split('/')
  const hasHost = rest.length > 0 && isHost(first)
  if (hasHost && !isValidHost(first)) throw refuse(`"${first}" is not the name of a host`)
  const {path = '', tag} =
    /^(?<path>[^:]*)(?::(?<tag>.*))?$/s.exec(hasHost ? rest.join('/') : named)?.groups ?? {}
  if (tag !== undefined && !isTag(tag)) throw refuse(`"${tag}" is not a tag`)
  const host = hasHost ? canonicalHost(first) : DOCKER_HUB
  const repository = host === DOCKER_HUB && !path.includes('/') ? `library/${path}` : path
  if (!isRepository(repository)) {
    const isCase = repository !== repository.toLowerCase()
    throw refuse(
      `"${path}" is not the name of a repository`,
      isCase ? [`Names of repositories are in lower case: ${text.replace(path, path.toLowerCase())}`] : [],
    )
  }
  if (host.length + repository.length >= MOST_LENGTH) throw refuse(`it is over ${MOST_LENGTH} characters`)
  return {host, repository, tag, digest}
}

export function isTag(text: string): boolean {
  return TAG.test(text)
}

export function isRepository(text: string): boolean {
  return text.split('/').every((part) => COMPONENT.test(part))
}

/** Returns the whole name: `docker.io/library/debian:12@sha256:…`. */
export function formatReference({host, repository, tag, digest}: RegistryReference): string {
  return [
    `${host}/${repository}`,
    ...(tag === undefined ? [] : [`:${tag}`]),
    ...(digest === undefined ? [] : [`@${digest}`]),
  ].join('')
}

/** Returns the name of a host as references have it. @throws {@link badReferenceError} */
export function parseRegistryHost(text: string): string {
  if (isValidHost(text)) return canonicalHost(text)
  throw badReferenceError({text, reason: 'it is not the name of a host'})
}

/** The first part of a name is a host by its look, because `library/debian` has none. */
function isHost(part: string): boolean {
  return /[.:[]/.test(part) || part === 'localhost' || part !== part.toLowerCase()
}

function isValidHost(text: string): boolean {
  return HOST.test(text) && URL.canParse(`https://${text}/`)
}

function canonicalHost(text: string): string {
  const host = text.toLowerCase()
  return HUB_NAMES.has(host) ? DOCKER_HUB : host
}
