import {copyFile} from 'node:fs/promises'
import {ignoring} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {recordOwners, restoreOwners} from '../rootfs/tree-process.js'
import type {Identity} from '../sandbox/ids/identity.js'
import type {MergedTree} from './merged-tree.js'
import type {EnvironmentRecord} from './record.js'
import type {Environment} from './store.js'
import {treeProcess} from './toolbox.js'

type Copy = {
  readonly source: Environment
  /** The source's tree. */
  readonly original: MergedTree
  readonly identity: Identity
  /** The copy's tree, and where its ledger is to be made. */
  readonly root: string
  readonly ledger: string
}

/**
 * Gives the copy of a tree the owners of its identity, and a ledger of what it can't have.
 *
 * Between `emulated` and `mapped`, owners go from the ledger into the tree, or from the tree into the ledger.
 *
 * @returns What of the source's record is different for the copy.
 */
export async function convertOwners(
  host: Host,
  {source, original, identity, root, ledger}: Copy,
): Promise<Pick<EnvironmentRecord, 'identity' | 'extraction'>> {
  const {record, files} = source
  const {extraction} = record
  if (identity === record.identity) {
    await copyFile(files.ledger, ledger).catch(ignoring('ENOENT'))
    return {identity, extraction}
  }
  if (identity === 'emulated') {
    await recordOwners(original.process, {root: original.root, from: files.ledger, to: ledger})
    return {identity, extraction: {...extraction, squashedOwners: 0}}
  }
  // Foreign owners can be given only where they are mapped.
  const tree = await treeProcess(host, 'mapped')
  const {squashedOwners, losses} = await restoreOwners(tree, {root, from: files.ledger, to: ledger})
  return {
    identity,
    extraction: {
      ...extraction,
      squashedOwners: squashedOwners.count,
      fileCapabilities: losses.capabilities,
    },
  }
}
