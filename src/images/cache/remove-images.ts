import type {DebArchitecture} from '../../host/architecture.js'
import {readCatalogue} from '../catalog/catalogue.js'
import {UnknownImageError} from '../errors.js'
import {parseImageName} from '../reference.js'
import {chooseKept} from './choose.js'
import type {KeptImage} from './kept-images.js'
import {removeKept} from './removal.js'

/**
 * Removes the kept images that words mean, names or digests: all of them, or none where a word fits nothing.
 *
 * @throws {ImageNotKeptError}
 * @throws {@link imageInUseError} What came before it is gone.
 */
export async function removeImages(
  images: string,
  words: readonly string[],
  around: {architecture: DebArchitecture; now: Date},
): Promise<KeptImage[]> {
  const catalogue = await readCatalogue()
  const parse = (text: string) => {
    try {
      return parseImageName(text, {...around, catalogue})
    } catch (error) {
      if (error instanceof UnknownImageError) return undefined
      throw error
    }
  }
  const chosen = (await Promise.all(words.map((word) => chooseKept(images, word, parse)))).flat()
  const removed = [...new Map(chosen.map((image) => [image.sha256, image])).values()]
  for (const image of removed) await removeKept(images, image)
  return removed
}
