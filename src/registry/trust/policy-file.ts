import {errnoOf, wordsForErrno} from '../../errors.js'
import {isErrno} from '../../host/errno.js'
import {readSmallFile} from '../../host/files.js'
import type {RegistryReference} from '../reference.js'
import {trustPolicyError} from './errors.js'
import {repositoryOf, withTag} from './signed-name.js'
import {parseUnambiguousJson} from './unambiguous-json.js'

export type PolicyFile = {
  /** The path, or the setting that holds the policy itself. */
  readonly file: string
  readonly text: string
}

/** The requirements of the most specific scope that has an image; not yet understood. */
export type PolicyScope = {
  readonly file: string
  /** As the file has it; `docker` for the default of registries, `default` for that of all. */
  readonly scope: string
  readonly requirements: readonly unknown[]
}

/** A policy for every image of a company is some kilobytes. */
const MOST_POLICY_LENGTH = 1024 * 1024

/** Where podman, buildah and skopeo look. @see containers-policy.json(5) */
export function usualPolicyFiles(home: string | undefined): readonly string[] {
  const own = home === undefined ? [] : [`${home}/.config/containers/policy.json`]
  return [...own, '/etc/containers/policy.json']
}

/**
 * Reads the policy of this account.
 *
 * @param setting - The value of registries.trust: a path, or the policy as JSON; without it, the first file that exists.
 * @returns Undefined if there is none: then the registry alone vouches for an image, as for a tarball from a URL.
 * @throws {@link trustPolicyError}
 */
export function readPolicyFile(
  setting: string | undefined,
  usual: readonly string[],
): PolicyFile | undefined {
  if (setting?.trimStart().startsWith('{')) return {file: 'registries.trust', text: setting}
  if (setting !== undefined) return {file: setting, text: readPolicy(setting)}
  for (const file of usual) {
    try {
      return {file, text: readSmallFile(file)}
    } catch (error) {
      // A file that is there and can't be read is not one that allows everything.
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw unreadable(file, error)
    }
  }
  return undefined
}

function readPolicy(file: string): string {
  try {
    return readSmallFile(file)
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(file: string, error: unknown): unknown {
  const errno = errnoOf(error)
  return errno === undefined ? error : trustPolicyError({file, reason: wordsForErrno(errno)}, {cause: error})
}

type JsonObject = Readonly<Record<string, unknown>>

/**
 * Returns the requirements for an image of a registry.
 *
 * @throws {@link trustPolicyError} For a file that is no policy, in any part that could decide.
 */
export function findScope({file, text}: PolicyFile, image: RegistryReference): PolicyScope {
  const refuse = (reason: string, cause?: unknown) => trustPolicyError({file, reason}, {cause})
  const {default: fallback, transports = {}, ...unknown} = parsePolicy(text, refuse)
  const [foreign] = Object.keys(unknown)
  if (foreign !== undefined) throw refuse(`"${foreign}" is not a field of a policy`)
  if (!isObject(transports)) throw refuse('"transports" is not an object')
  const scopes = transports['docker'] ?? {}
  if (!isObject(scopes)) throw refuse('"transports.docker" is not an object')
  const key = scopesOf(image).find((each) => Object.hasOwn(scopes, each))
  const scope = key === undefined ? 'default' : key === '' ? 'docker' : key
  const requirements = key === undefined ? fallback : scopes[key]
  if (!Array.isArray(requirements) || requirements.length === 0)
    throw refuse(`"${scope}" is not a list of requirements`)
  return {file, scope, requirements}
}

function parsePolicy(text: string, refuse: (reason: string, cause?: unknown) => Error): JsonObject {
  if (text.length > MOST_POLICY_LENGTH) throw refuse(`it is over ${MOST_POLICY_LENGTH} bytes`)
  let json: unknown
  try {
    json = parseUnambiguousJson(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw refuse(`it is not JSON without repeated names`, error)
    throw error
  }
  if (!isObject(json)) throw refuse('it is not an object')
  return json
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns the scopes that hold an image, the most specific first. @see containers-policy.json(5), docker: */
function scopesOf(image: RegistryReference): string[] {
  const name = repositoryOf(image)
  const {tag, digest} = withTag(image)
  const parts = name.split('/')
  const namespaces = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
  const labels = image.host.replace(/:\d+$/, '').split('.')
  return [
    digest === undefined ? `${name}:${tag}` : `${name}@${digest}`,
    ...namespaces,
    ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`),
    '',
  ]
}
