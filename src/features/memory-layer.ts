import {enterMemory} from '../sandbox/tmpfs.js'
import {readHistory} from '../store/history.js'
import {upperHolder} from '../store/mounted-tree.js'
import {toolPath} from '../store/tools.js'
import type {SandboxFeature} from './feature.js'

/** What a throwaway environment writes is in memory: the upper layer is on a tmpfs in a mount namespace, which the sandbox enters. */
export const memoryLayer: SandboxFeature = {
  id: 'memory-layer',
  engines: ['bwrap', 'unshare'],
  async beforeStart({environment}) {
    if (environment.record.storage !== 'overlay') return
    // A layer that was in memory and is not any more can't be started on.
    upperHolder(environment, await readHistory(environment.files.history))
  },
  apply(spec, {host, tree}) {
    if (tree.kind !== 'overlay' || tree.holder === undefined) return spec
    const prefix = enterMemory(tree.holder, toolPath(host, 'nsenter'))
    return {...spec, userNamespace: {...spec.userNamespace, prefix}}
  },
}
