import assert from 'node:assert/strict'
import type {ImageQuery} from '../../src/images/name.js'
import {findImage} from '../../src/images/resolve.js'
import {isPublished, type PublishedImage} from '../../src/images/resolved-image.js'
import type {ImageContext} from '../../src/images/sources/source.js'
import type {ImageServers} from './image-servers.js'

/** Demands no signature of an image of a registry, whatever this host demands. */
export const NO_DEMANDS: ImageContext['trust'] = {
  verify: [],
  demands: () => ({
    verify: [],
    policy: undefined,
    usualPolicies: [],
    rootPath: '/nowhere',
    workingFolder: '/',
  }),
}

/** The context of a search on the servers of a test, with next to no wait between tries. */
export function contextFor(servers: ImageServers, options: Partial<ImageContext> = {}): ImageContext {
  return {
    mirrors: servers.mirrors,
    keyrings: servers.keyrings,
    environment: {},
    now: new Date(),
    trust: NO_DEMANDS,
    backoffMs: 1,
    ...options,
  }
}

/** A context whose servers don't exist, for what must not ask any. */
export const NOWHERE: ImageContext = {
  mirrors: {
    ubuntuBase: 'http://127.0.0.1:1/ubuntu-base',
    ubuntuCloud: 'http://127.0.0.1:1/cloud-images',
    lxc: 'http://127.0.0.1:1/lxc',
  },
  keyrings: [],
  environment: {},
  now: new Date(),
  trust: NO_DEMANDS,
  backoffMs: 1,
}

/** Finds the published image that a query means. */
export async function findPublished(query: ImageQuery, context: ImageContext): Promise<PublishedImage> {
  const image = await findImage({kind: 'name', text: query.suite, query}, context)
  assert(isPublished(image))
  return image
}
