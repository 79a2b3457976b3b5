import type {Edit, Fix} from './fix.js'
import {fillTemplate} from './template.js'

/** Environments of one image must not have the same machine id. @see machine-id(5) */
export const machineId: Fix = {
  name: 'machine-id',
  describe: 'give the environment an identity of its own',
  plan(tree, facts) {
    const content = fillTemplate('machine-id', {machineId: facts.machineId})
    const edits: Edit[] = [{kind: 'file', path: 'etc/machine-id', content, mode: 0o444}]
    // Usually a link to the other one, which needs no change.
    if (tree.kindOf('var/lib/dbus/machine-id') === 'file') {
      edits.push({kind: 'file', path: 'var/lib/dbus/machine-id', content, mode: 0o444})
    }
    return edits
  },
}
