import {EnvsError} from '../../errors.js'
import {isOffline} from '../../host/http/proxy.js'
import {imageOfflineError} from '../../images/errors.js'
import {type ImageReference, imageName} from '../../images/name.js'
import {formatLocation} from '../../images/oci/location.js'
import type {ImageContext} from '../../images/sources/source.js'
import {isUnreachable} from '../bootstrap/build.js'

/** Returns the error of an image that --offline keeps from being fetched; any other error as it is. */
export function explainOffline(
  error: unknown,
  {reference, context}: {readonly reference: ImageReference; readonly context: ImageContext},
): unknown {
  const name = nameOf(reference)
  if (name === undefined || !isOffline(context.environment) || !(error instanceof EnvsError)) return error
  return isUnreachable(error) ? imageOfflineError({name}, {cause: error}) : error
}

function nameOf(reference: ImageReference): string | undefined {
  if (reference.kind === 'name') return imageName(reference.query)
  return reference.kind === 'container' ? formatLocation(reference.location) : undefined
}
