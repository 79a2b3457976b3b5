import {UsageError} from '../../errors.js'
import {formatReference, parseRegistryReference} from '../../registry/reference.js'

/** A name of an image in a file. */
export type ImageName = {
  /** As typed, with a tag: `play:latest`. */
  readonly name: string
  /** With its registry: `docker.io/library/play:latest`. */
  readonly whole: string
  readonly tag: string
}

const DEFAULT_TAG = 'latest'

/**
 * Returns the names that an image gets in a file: the typed one, else that of the environment; none if that is no name for an
 * image.
 *
 * @throws {UsageError} @throws {@link badReferenceError}
 */
export function imageNames(typed: string | undefined, environment: string): readonly ImageName[] {
  if (typed !== undefined) return [nameOf(typed)]
  return IMAGE_NAME.test(environment) ? [nameOf(environment)] : []
}

/** A component of a repository's name; an environment's may end in a dash or a dot. */
const IMAGE_NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/

function nameOf(text: string): ImageName {
  const reference = parseRegistryReference(text)
  const {tag = DEFAULT_TAG, digest} = reference
  if (digest !== undefined) throw new UsageError(`--tag "${text}" has a digest, which the new image has not.`)
  return {
    name: reference.tag === undefined ? `${text}:${tag}` : text,
    whole: formatReference({...reference, tag}),
    tag,
  }
}
