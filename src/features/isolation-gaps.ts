import type {Host} from '../host/host.js'
import {type EngineName, guestNamespaceOf} from '../sandbox/engines/select.js'
import type {GuestNamespace} from '../sandbox/second-namespace.js'
import type {IsolationGap} from './feature.js'
import {featureGaps} from './index.js'

/** Returns the isolation gaps of an engine. The list is empty for an engine that isolates as docs/security-model.md describes. */
export function isolationGaps(engine: EngineName | null, namespace: GuestNamespace): IsolationGap[] {
  if (engine === null) return []
  return [...engineGaps(engine, namespace), ...featureGaps(engine, namespace)]
}

function engineGaps(engine: EngineName, namespace: GuestNamespace): IsolationGap[] {
  if (engine === 'proot') return ['host-files']
  return namespace === 'only' ? ['own-mounts'] : []
}

/** Returns the isolation gaps of an environment that would start with an engine on this host now. */
export async function gapsOnHost(host: Host, engine: EngineName | null): Promise<IsolationGap[]> {
  const isAnchor = engine === 'bwrap' || engine === 'unshare'
  const {cache: cacheFolder} = host.paths
  return isolationGaps(engine, isAnchor ? await guestNamespaceOf(host, engine, {cacheFolder}) : 'only')
}
