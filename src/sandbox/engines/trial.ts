import {closeSync, constants, openSync} from 'node:fs'
import {isErrno} from '../../host/errno.js'
import {launchAnchor} from '../anchor-start.js'
import {NamespaceRefusedError} from '../errors.js'
import {filterSets} from '../seccomp/filter-sets.js'
import {type HeldNamespace, holdNamespace} from '../second-namespace.js'
import {baseSpec, type SandboxSpec} from '../spec.js'
import type {AnchorEngine} from './engine.js'

type Trial = Pick<SandboxSpec, 'architecture' | 'userNamespace'> & {
  readonly engine: AnchorEngine
  readonly stage: string
}

/**
 * Whether an engine works here: it is started as for an environment, with the host's own tree, read-only, as the guest's.
 *
 * @param trial.stage - A folder of ours; it stays as it is.
 */
export async function canStart({engine, stage, ...place}: Trial): Promise<boolean> {
  const devNull = openSync('/dev/null', constants.O_RDWR)
  const plan = {
    engine,
    name: 'trial',
    runFolder: stage,
    spec: baseSpec({
      ...place,
      root: {kind: 'bind', from: '/', at: '/', access: 'ro'},
      hostname: 'trial',
      filterSets: filterSets('emulated'),
    }),
    holder: 'echo ready >&4',
  }
  const descriptors = {alive: devNull, looks: devNull, devNull}
  let namespace: HeldNamespace | undefined
  try {
    const {guest, prefix} = place.userNamespace
    namespace = guest === 'of-root' ? await holdNamespace(prefix) : undefined
    return (await launchAnchor(plan, {descriptors, namespace, companions: []})).isReady
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
