import type {EnvsError} from '../../errors.js'
import {helperError, PublicationError} from './errors.js'
import {ensureHelper, type NetworkPlace, networkHelper, proxyHelper, publicationHelper} from './helper.js'
import {type Outlet, outletWords} from './outlet.js'
import type {Publication} from './publication.js'

/** The helpers of the network of one environment. */
export type NetworkService = {
  readonly name: string
  /** Undefined for a network without a way out. */
  readonly outlet: Outlet | undefined
  readonly publications: readonly Publication[]
  /** Hosts that a proxy leads to; empty without one. */
  readonly hosts: readonly string[]
}

/**
 * Starts the helpers of an environment that do not run.
 *
 * @throws {networkFailedError} @throws {PublicationError}
 */
export async function serveNetwork(place: NetworkPlace, service: NetworkService): Promise<void> {
  const {name, outlet, publications, hosts} = service
  const helpers = [
    ...(outlet === undefined ? [] : [networkHelper(place, outletWords(outlet))]),
    ...(hosts.length === 0 ? [] : [proxyHelper(place, hosts)]),
  ]
  for (const helper of helpers) {
    const failure = await ensureHelper(helper)
    if (failure !== undefined) throw helperError(name, failure)
  }
  for (const publication of publications) {
    const error = await publish(place, name, publication)
    if (error !== undefined) throw error
  }
}

/** Starts the helper of one publication unless it runs. @returns The failure. */
export async function publish(
  place: NetworkPlace,
  name: string,
  publication: Publication,
): Promise<EnvsError | undefined> {
  const failure = await ensureHelper(publicationHelper(place, publication))
  return failure === undefined ? undefined : new PublicationError({name, publication, failure})
}
