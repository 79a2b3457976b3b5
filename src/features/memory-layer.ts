import {enterMemory} from '../sandbox/tmpfs.js'
import {readHistory} from '../store/history.js'
import {upperHolder} from '../store/mounted-tree.js'
import {toolPath} from '../store/tools.js'
import type {SandboxFeature} from './feature.js'

/**
 * Holds the upper layer of a throwaway environment in memory, on a tmpfs in a mount namespace. The sandbox enters that
 * namespace.
 */
export const memoryLayer: SandboxFeature = {
  id: 'memory-layer',
  engines: ['bwrap', 'unshare'],
  async beforeStart({environment}) {
    if (environment.record.storage !== 'overlay') return
    // Throws when the tmpfs of the upper layer is lost: the environment can't start without that layer.
    upperHolder(environment, await readHistory(environment.files.history))
  },
  apply(spec, {host, tree}) {
    if (tree.kind !== 'overlay' || tree.holder === undefined) return spec
    const prefix = enterMemory(tree.holder, toolPath(host, 'nsenter'))
    return {...spec, userNamespace: {...spec.userNamespace, prefix}}
  },
}
