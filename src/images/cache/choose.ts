import {didYouMean} from '../../errors.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import {nearestNames} from '../../host/nearest.js'
import {readCatalogue} from '../catalog/catalog.js'
import {UnknownImageError} from '../errors.js'
import type {ImageQuery} from '../name.js'
import {chooseContainers, describeKeptContainer} from '../oci/kept.js'
import {parseImageName} from '../reference.js'
import {type KeptImage, listKept, matchesQuery} from './cache.js'
import {imageNotKeptError} from './errors.js'

/** A cached image as `envs image list` shows it. */
export type ChosenImage = (KeptImage & {readonly container: null}) | ReturnType<typeof describeKeptContainer>

/**
 * Returns the cached images that a word selects: a reference, a name, a digest or the beginning of one.
 *
 * @param images - The folder of cached images.
 * @throws {@link imageNotKeptError}
 */
export async function chooseImages(
  images: string,
  word: string,
  around: {architecture: DebArchitecture; now: Date},
): Promise<readonly ChosenImage[]> {
  const containers = (await chooseContainers(images, word)).map(describeKeptContainer)
  if (containers.length > 0) return containers
  const catalogue = await readCatalogue()
  const parse = (text: string) => {
    try {
      return parseImageName(text, {...around, catalogue})
    } catch (error) {
      if (error instanceof UnknownImageError) return undefined
      throw error
    }
  }
  return (await chooseKept(images, word, parse)).map((image) => ({...image, container: null}))
}

/** A digest or its unambiguous beginning. */
const DIGEST = /^(?:sha256:)?(?<digits>[0-9a-f]{8,64})$/

/**
 * Returns the cached images that a word selects: by digest or its beginning, by the name in `image list`, or by
 * the query that the word is parsed into.
 *
 * @param parse - Parses a name as `envs create` does; undefined if it is not a name.
 * @throws {@link imageNotKeptError}
 */
async function chooseKept(
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
    (image) => query !== undefined && matchesQuery(image, query),
  ]
  for (const rule of rules) {
    const chosen = kept.filter(rule)
    if (chosen.length > 0) return chosen
  }
  const words = kept.flatMap((image) => {
    const short = parse(image.suite)
    return short !== undefined && matchesQuery(image, short) ? [image.name, image.suite] : [image.name]
  })
  throw imageNotKeptError({name: text}, {hints: didYouMean(nearestNames(word, [...new Set(words)]))})
}
