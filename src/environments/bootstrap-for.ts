import type {Host} from '../host/host.js'
import {UnknownImageError} from '../images/errors.js'
import {queryFor} from '../images/open-image.js'
import type {ImageReference} from '../images/reference.js'
import type {ImageContext} from '../images/sources/source.js'
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
  options: {architecture: Host['architecture']; context: ImageContext},
): Promise<BootstrapRequest | undefined> {
  const query =
    reference.kind === 'name' ? await queryFor(reference, options).catch(unlessUnknown) : undefined
  if (query?.source === undefined && query !== undefined) {
    const isMeant = query.variant === 'archive' || (query.variant === undefined && isArchiveWish(wish))
    if (isMeant) return planBootstrap({...query, variant: 'archive'}, wish, options.context.now)
  }
  if (isArchiveWish(wish)) throw noArchiveImageError()
  return undefined
}

/** A name that nobody knows is told of where it is looked up. */
function unlessUnknown(error: unknown): undefined {
  if (!(error instanceof UnknownImageError)) throw error
}
