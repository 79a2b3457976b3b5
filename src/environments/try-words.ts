import type {Host} from '../host/host.js'
import {readCatalogue} from '../images/catalog/catalogue.js'
import {UnknownImageError} from '../images/errors.js'
import {parseImageName} from '../images/image-name.js'
import {parseImageReference} from '../images/reference.js'

export type TryWords = {
  /** Undefined for the default one. */
  readonly image: string | undefined
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
  {architecture, now, workingFolder}: Pick<Host, 'architecture' | 'now' | 'workingFolder'>,
): Promise<TryWords> {
  const [first, ...rest] = words
  if (first === undefined) return {image: undefined, packages: []}
  const reference = parseImageReference(first, {workingFolder})
  const isImage = reference.kind !== 'name' || (await isPublished(first, {architecture, now: now()}))
  return isImage ? {image: first, packages: rest} : {image: undefined, packages: words}
}

async function isPublished(
  word: string,
  around: Omit<Parameters<typeof parseImageName>[1], 'catalogue'>,
): Promise<boolean> {
  try {
    parseImageName(word, {...around, catalogue: await readCatalogue()})
    return true
  } catch (error) {
    if (!(error instanceof UnknownImageError) || OF_A_PUBLISHER.test(word)) throw error
    return false
  }
}
