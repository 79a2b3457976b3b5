import type {Host} from '../host/host.js'
import type {DebArchitecture} from '../host/machine/arch.js'
import {type ChosenImage, chooseImages} from '../images/cache/choose.js'
import {listContainers, readContainer} from '../images/oci/kept.js'
import type {ImageDetails} from '../images/results.js'
import {imageUsers} from './image-trees.js'

export type FoundImage = {
  readonly details: ImageDetails
  /** Digests of other images that the word selects too. */
  readonly others: readonly string[]
}

/**
 * Returns all that is recorded about a cached image.
 *
 * @param word - As for `chooseImages`; of several images, the first for `architecture` counts, which is the newest of its name.
 * @throws {@link imageNotKeptError} @throws {ImageRecordUnreadableError}
 */
export async function showImage(
  {paths, now}: Pick<Host, 'paths' | 'now'>,
  word: string,
  architecture: DebArchitecture,
): Promise<FoundImage> {
  const chosen = await chooseImages(paths.images, word, {architecture, now: now()})
  const image = chosen.find((one) => one.architecture === architecture) ?? chosen[0]
  if (image === undefined) throw new Error('a word that selects no image is refused')
  const usedBy = (await imageUsers(paths)).get(image.sha256) ?? []
  const own = await containerDetails(paths.images, image)
  return {
    details: {...image, ...own, usedBy: [...usedBy]},
    others: chosen.flatMap(({sha256}) => (sha256 === image.sha256 ? [] : [sha256])),
  }
}

/** A tarball is cached only with the signature of its publisher. */
const OF_PUBLISHER = {trust: 'signed', layers: null} as const

async function containerDetails(
  images: string,
  {sha256, container}: ChosenImage,
): Promise<Pick<ImageDetails, 'trust' | 'layers'>> {
  const record = container === null ? undefined : readContainer(images, sha256)
  if (record === undefined) return OF_PUBLISHER
  const others = (await listContainers(images)).filter((each) => each.sha256 !== sha256)
  const sharedWith = (diffId: string) =>
    others
      .filter(({layers}) => layers.some((layer) => layer.diffId === diffId))
      .map(({origin}) => origin.reference)
  return {
    trust: record.trust,
    layers: record.layers.map((layer) => ({...layer, sharedWith: sharedWith(layer.diffId)})),
  }
}
