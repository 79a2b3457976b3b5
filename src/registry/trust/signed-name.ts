import {EnvsError} from '../../errors.js'
import {formatReference, parseRegistryReference, type RegistryReference} from '../reference.js'

/** How the name in a signature must fit the name of the image. @see containers-policy.json(5), signedIdentity */
export type NameRule =
  | {readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository'}
  | {readonly type: 'exactReference'; readonly dockerReference: string}
  | {readonly type: 'exactRepository'; readonly dockerRepository: string}
  | {readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string}

/** Returns whether a name in a signature is that of the image. @param signed - As the signer wrote it. */
export function isNameAllowed(signed: string, rule: NameRule, image: RegistryReference): boolean {
  const claimed = parsedName(signed)
  if (claimed === undefined) return false
  switch (rule.type) {
    case 'matchExact':
      return isSame(claimed, withTag(image))
    case 'matchRepoDigestOrExact':
      return isSameOrDigest(claimed, image)
    case 'matchRepository':
      return isSameRepository(claimed, image)
    case 'exactReference': {
      const wanted = parsedName(rule.dockerReference)
      return wanted !== undefined && isSame(claimed, wanted)
    }
    case 'exactRepository': {
      const wanted = parsedName(rule.dockerRepository)
      return wanted !== undefined && isSameRepository(claimed, wanted)
    }
    case 'remapIdentity': {
      const wanted = remapped(image, rule)
      return wanted !== undefined && isSameOrDigest(claimed, wanted)
    }
  }
}

/** Parses a name of a registry; undefined for another text. */
export function parsedName(text: string): RegistryReference | undefined {
  try {
    return parseRegistryReference(text)
  } catch (error) {
    if (error instanceof EnvsError) return undefined
    throw error
  }
}

/** Returns `HOST/REPOSITORY`. */
export function repositoryOf({host, repository}: RegistryReference): string {
  return formatReference({host, repository, tag: undefined, digest: undefined})
}

function isSameRepository(one: RegistryReference, other: RegistryReference): boolean {
  return repositoryOf(one) === repositoryOf(other)
}

/** A name without tag and digest is equal to none: it does not say which image is meant. */
function isSame(one: RegistryReference, other: RegistryReference): boolean {
  if (!isSameRepository(one, other)) return false
  if (one.digest !== undefined || other.digest !== undefined) return one.digest === other.digest
  return one.tag !== undefined && one.tag === other.tag
}

/** The digest of the image decides where the user gave one; else the tag, which is `latest` where none is written. */
function isSameOrDigest(claimed: RegistryReference, image: RegistryReference): boolean {
  return image.digest === undefined ? isSame(claimed, withTag(image)) : isSameRepository(claimed, image)
}

export function withTag(image: RegistryReference): RegistryReference {
  return image.tag === undefined && image.digest === undefined ? {...image, tag: 'latest'} : image
}

function remapped(
  image: RegistryReference,
  {prefix, signedPrefix}: {readonly prefix: string; readonly signedPrefix: string},
): RegistryReference | undefined {
  const name = repositoryOf(image)
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image
  const {host, repository} = parsedName(`${signedPrefix}${name.slice(prefix.length)}`) ?? {}
  if (host === undefined || repository === undefined) return undefined
  return {...image, host, repository}
}
