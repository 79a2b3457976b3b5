import type {ImageContext} from '../../src/images/sources/source.js'
import type {ImageServers} from './image-servers.js'

/** The context of a search on the servers of a test, with next to no wait between tries. */
export function contextFor(servers: ImageServers, options: Partial<ImageContext> = {}): ImageContext {
  return {
    mirrors: servers.mirrors,
    keyrings: servers.keyrings,
    environment: {},
    now: new Date(),
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
  backoffMs: 1,
}
