import type {DebArchitecture} from '../host/architecture.js'
import type {Host} from '../host/host.js'
import {UnknownImageError} from '../images/errors.js'
import type {ImageReference} from '../images/published-image.js'
import {parseImageReference} from '../images/reference.js'

export type TryWords = {
  /** Undefined for the default one. */
  readonly image: ImageReference | undefined
  readonly packages: readonly string[]
}

/** Words that can be no package: an architecture after a colon is never called so. */
const OF_A_PUBLISHER = /^(ubuntu|debian|lxc):/i

/**
 * Tells an image from packages: the first word is one if it is a path, a URL, or the name of a published image.
 *
 * @throws {UsageError} @throws {UnknownImageError}
 */
export async function readTryWords(
  words: readonly string[],
  {now, workingFolder, architecture}: Pick<Host, 'now' | 'workingFolder'> & {architecture: DebArchitecture},
): Promise<TryWords> {
  const [first, ...rest] = words
  if (first === undefined) return {image: undefined, packages: []}
  try {
    const image = await parseImageReference(first, {workingFolder, architecture, now: now()})
    return {image, packages: rest}
  } catch (error) {
    if (!(error instanceof UnknownImageError) || OF_A_PUBLISHER.test(first)) throw error
    return {image: undefined, packages: words}
  }
}
