import type {Host} from '../host/host.js'
import {type EngineName, guestNamespaceOf} from '../sandbox/engines/choice.js'
import type {GuestNamespace} from '../sandbox/second-namespace.js'

/**
 * What the wall between an environment and the host does not hold off.
 *
 * `host-files`: a program inside can reach every file of the user. `own-mounts`: its mounts are its root's, which can take off
 * what covers parts of /sys and mount control groups, and its processes are not counted.
 */
export type IsolationGap = 'host-files' | 'own-mounts'

/** Returns the gaps of an engine; none of one that isolates as docs/security-model.md says. */
export function isolationGaps(engine: EngineName | null, namespace: GuestNamespace): IsolationGap[] {
  if (engine === 'proot') return ['host-files']
  return engine !== null && namespace === 'only' ? ['own-mounts'] : []
}

/** Those of an environment that is started with an engine now. */
export async function gapsOnHost(host: Host, engine: EngineName | null): Promise<IsolationGap[]> {
  const isAnchor = engine === 'bwrap' || engine === 'unshare'
  const {cache: cacheFolder} = host.paths
  return isolationGaps(engine, isAnchor ? await guestNamespaceOf(host, engine, {cacheFolder}) : 'only')
}
