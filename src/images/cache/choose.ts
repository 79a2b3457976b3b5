import {didYouMean} from '../../errors.js'
import {nearestNames} from '../../host/nearest.js'
import type {ImageQuery} from '../published-image.js'
import {imageNotKeptError} from './errors.js'
import {fits, type KeptImage, listKept} from './kept-images.js'

/** As short as `image list` shows them, or shorter while it is clear. */
const DIGEST = /^(?:sha256:)?(?<digits>[0-9a-f]{8,64})$/

/**
 * The kept images that a word means: a digest or its beginning, a name as `image list` shows it, or whatever
 * fits the query that the word was parsed into.
 *
 * @param parse - Reads a name as `envs create` does; undefined where it is none.
 * @throws {@link imageNotKeptError}
 */
export async function chooseKept(
  images: string,
  text: string,
  parse: (text: string) => ImageQuery | undefined,
): Promise<readonly KeptImage[]> {
  const {images: kept} = await listKept(images)
  const word = text.toLowerCase()
  const digits = DIGEST.exec(word)?.groups?.['digits']
  const query = parse(text)
  const rules: ((image: KeptImage) => boolean)[] = [
    ({name}) => name === word,
    ({sha256}) => digits !== undefined && sha256.startsWith(digits),
    (image) => query !== undefined && fits(image, query),
  ]
  for (const rule of rules) {
    const chosen = kept.filter(rule)
    if (chosen.length > 0) return chosen
  }
  const words = kept.flatMap((image) => {
    const short = parse(image.suite)
    return short !== undefined && fits(image, short) ? [image.name, image.suite] : [image.name]
  })
  throw imageNotKeptError({name: text}, {hints: didYouMean(nearestNames(word, [...new Set(words)]))})
}
