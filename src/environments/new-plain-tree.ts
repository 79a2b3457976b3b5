import {syncAhead, syncFileSystem} from '../host/file-system-sync.js'
import {makeFolders} from '../host/folders.js'
import {measureTrees, settleTree} from '../rootfs/tree-process.js'
import type {NewTree, NewTreePlan} from './new-tree.js'
import {filesIn} from './store.js'
import {treeProcess} from './toolbox.js'
import {newTreeFacts} from './tree-facts.js'
import {unpackImage} from './unpack.js'

/** A whole tree of the environment's own. */
export function newPlainTree({host, request, identity, partial, signal}: NewTreePlan): NewTree {
  const {name, archives, isSynced} = request
  const {root, ledger} = filesIn(partial)
  let unpackedBytes = 0
  return {
    prepare() {},

    async unpack(image, onProgress) {
      await makeFolders(root, {mode: 0o700})
      const owners = identity === 'mapped' ? 'keep' : 'caller'
      const target = {tree: await treeProcess(host, identity), root, owners, ledger} as const
      const unpacked = await unpackImage(image, target, {isSynced, signal, onProgress})
      unpackedBytes = unpacked.report.totalBytes
      return unpacked
    },

    async settle() {
      const facts = newTreeFacts(host, {name, identity, archives})
      const ahead = isSynced ? syncAhead(root, unpackedBytes) : undefined
      const tree = await treeProcess(host, identity)
      const [{notes}] = await Promise.all([settleTree(tree, {root, facts, planned: []}), ahead])
      // Else a power cut could leave a record that vouches for files the disk never saw.
      const onDisk = isSynced ? syncFileSystem(root) : undefined
      const [[sizeBytes = 0]] = await Promise.all([measureTrees(tree, [root]), onDisk])
      return {sizeBytes, notes}
    },

    async onDisk() {},
    async discard() {},
    async close() {},
  }
}
