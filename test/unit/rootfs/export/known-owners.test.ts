import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openKnownOwners} from '../../../../src/rootfs/export/pack-image.js'
import type {TreeView} from '../../../../src/rootfs/fixes/tree-view.js'

const TREE: TreeView = {
  kindOf: () => 'nothing',
  read: (path) => (path === 'etc/group' ? Buffer.from('root:x:0:\nmail:x:8:\nshadow:x:42:\n') : undefined),
  readWhole: () => undefined,
  linkTarget: () => undefined,
  realFolder: () => undefined,
  list: () => [],
}

for (const [path, mode, gid] of [
  ['etc/shadow', 0o640, 42],
  ['var/mail', 0o2775, 8],
  // Not as the scripts leave it that give it away.
  ['etc/shadow', 0o600, undefined],
  // A group that the tree does not have.
  ['var/log/btmp', 0o660, undefined],
  ['etc/passwd', 0o644, undefined],
] as const) {
  test(`${path} of mode ${mode.toString(8)} ${gid === undefined ? "stays root's" : `is given to group ${gid}`}`, () => {
    assert.equal(openKnownOwners(TREE)(path, mode)?.gid, gid)
  })
}
