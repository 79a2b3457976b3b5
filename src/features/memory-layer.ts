import {upperHolder} from '../environments/memory-upper.js'
import {toolPath} from '../environments/toolbox.js'
import {enterMemory} from '../sandbox/memory.js'
import {readHistory} from '../storage/history-file.js'
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
