import type {Fix} from './fix.js'

/**
 * Otherwise cloud-init would configure the machine at the first run of an init. @see cloud-init's manual,
 * "Disable cloud-init"
 */
export const cloudInit: Fix = {
  name: 'cloud-init',
  describe: 'keep cloud-init asleep',
  plan(tree) {
    if (tree.kindOf('etc/cloud') !== 'folder') return []
    return [{kind: 'file', path: 'etc/cloud/cloud-init.disabled', content: Buffer.alloc(0), mode: 0o644}]
  },
}
