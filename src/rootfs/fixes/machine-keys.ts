import {canRenewKeys, findMachineFiles, RENEWAL_PROGRAM} from '../machine-files.js'
import type {Edit, Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** Environments of one image, and a clone and its original, must not share keys that identify a machine. */
export const machineKeys: Fix = {
  name: 'machine-keys',
  describe: 'have keys of its own made at the first start',
  plan(tree) {
    const removals = findMachineFiles(tree).map((path): Edit => ({kind: 'removal', path}))
    if (!canRenewKeys(tree)) return removals
    // Before any key is removed: an interrupted fix must not leave a tree that has no keys and makes none.
    return [
      {kind: 'file', path: RENEWAL_PROGRAM, content: fillTemplate('renew-keys'), mode: 0o755},
      ...removals,
    ]
  },
}
