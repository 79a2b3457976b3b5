import type {ImageReference} from '../images/published-image.js'
import {packages} from '../images/sources/archive-offers.js'
import {noArchiveImageError} from './bootstrap-errors.js'
import {type ArchiveWish, type BootstrapRequest, isArchiveWish, planBootstrap} from './bootstrap-request.js'

/**
 * What of a reference has to be made of packages; undefined for what is published, and for what is no name at all.
 *
 * @throws {@link noArchiveImageError} When something was asked for that only packages can give.
 */
export async function bootstrapFor(
  reference: ImageReference,
  wish: ArchiveWish,
  now: Date,
): Promise<BootstrapRequest | undefined> {
  const image = isArchiveWish(wish) ? ofPackages(reference) : reference
  if (image.kind === 'name' && packages.matches(image)) return planBootstrap(image.query, wish, now)
  if (isArchiveWish(wish)) throw noArchiveImageError()
  return undefined
}

/** Who says what an image is to hold need not say that it is made of packages. */
function ofPackages(reference: ImageReference): ImageReference {
  if (reference.kind !== 'name' || reference.query.variant !== undefined) return reference
  return {...reference, query: {...reference.query, variant: 'archive'}}
}
