import assert from 'node:assert/strict'
import {existsSync, lstatSync, mkdirSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {fixTree} from '../../../../src/rootfs/fixes/apply.js'
import {treeFolder} from '../../../support/extraction.js'
import {TREE_FACTS} from '../../../support/tree-facts.js'

for (const [what, identity, folder, expected] of [
  ['an emulated tree with dpkg gets what stands in for su', 'emulated', 'var/lib/dpkg', true],
  ['a mapped tree, where users are real, does not', 'mapped', 'var/lib/dpkg', false],
  ['a tree without dpkg, which could not keep it, does not', 'emulated', 'var/lib/pacman', false],
] as const) {
  test(what, async (t) => {
    const root = await treeFolder(t)
    mkdirSync(join(root, folder), {recursive: true})
    fixTree(root, {...TREE_FACTS, identity})
    for (const [name, mode] of [
      ['become', 0o755],
      ['lay-shims', 0o755],
      ['become.d/main.pl', 0o644],
      ['become.d/su.pl', 0o644],
      ['become.d/sudo.pl', 0o644],
      ['become.d/postgresql.pl', 0o644],
      ['become.d/postfix.pl', 0o644],
    ] as const) {
      const path = join(root, 'usr/lib/envs', name)
      assert.equal(existsSync(path), expected, name)
      if (expected) assert.equal(lstatSync(path).mode & 0o7777, mode, name)
    }
  })
}
