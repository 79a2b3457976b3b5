import {closeSync, constants, openSync} from 'node:fs'
import type {DebArchitecture} from '../../host/architecture.js'
import {isErrno} from '../../host/errno.js'
import {launchAnchor} from '../anchor-start.js'
import {NamespaceRefusedError} from '../errors.js'
import {kernelMounts} from '../mounts.js'
import {buildFilter} from '../seccomp/filter.js'
import {filterSets} from '../seccomp/filter-sets.js'
import {type HeldNamespace, holdNamespace} from '../second-namespace.js'
import type {AnchorEngine, AnchorOptions} from './engine.js'

type Trial = Pick<AnchorOptions, 'guestNamespace' | 'namespacePrefix' | 'stage'> & {
  readonly engine: AnchorEngine
  readonly architecture: DebArchitecture
}

/**
 * Whether an engine works here: it is started as for an environment, with the host's own tree, read-only, as the guest's.
 *
 * @param trial.stage - A folder of ours; it stays as it is.
 */
export async function canStart({engine, architecture, stage, ...place}: Trial): Promise<boolean> {
  const devNull = openSync('/dev/null', constants.O_RDWR)
  const plan = {
    ...place,
    engine,
    name: 'trial',
    hostname: 'trial',
    runFolder: stage,
    mounts: [{kind: 'bind', from: '/', at: '/', access: 'ro'}, ...kernelMounts(place)] as const,
    filter: buildFilter(architecture, filterSets('emulated')),
    restoreRequests: undefined,
    holder: 'echo ready >&4',
  }
  const descriptors = {alive: devNull, looks: devNull, devNull}
  let namespace: HeldNamespace | undefined
  try {
    namespace = place.guestNamespace === 'of-root' ? await holdNamespace(place.namespacePrefix) : undefined
    return (await launchAnchor(plan, {descriptors, namespace, requests: undefined})).isReady
  } catch (error) {
    if (error instanceof NamespaceRefusedError) return false
    // A program of another processor, for one.
    if (isErrno(error)) return false
    throw error
  } finally {
    namespace?.release()
    closeSync(devNull)
  }
}
