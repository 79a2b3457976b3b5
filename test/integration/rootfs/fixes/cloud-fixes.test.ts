import assert from 'node:assert/strict'
import {existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {fixTree} from '../../../../src/rootfs/fixes/apply.js'
import {plant, textOf} from '../../../support/apt-tree.js'
import {treeFolder} from '../../../support/extraction.js'
import {TREE_FACTS} from '../../../support/tree-facts.js'

test('a tree with cloud-init gets the file that keeps it asleep, once', async (t) => {
  const root = await treeFolder(t)
  plant(root, 'etc/cloud/cloud.cfg', '')
  assert.deepEqual(fixTree(root, TREE_FACTS, ['cloud-init']), ['cloud-init'])
  const {mode, size} = lstatSync(join(root, 'etc/cloud/cloud-init.disabled'))
  assert.deepEqual([mode & 0o7777, size], [0o644, 0])
  assert.deepEqual(fixTree(root, TREE_FACTS, ['cloud-init']), [])
})

test('a tree with needrestart gets the file that keeps it from asking, once', async (t) => {
  const root = await treeFolder(t)
  plant(root, 'etc/needrestart/needrestart.conf', '')
  assert.deepEqual(fixTree(root, TREE_FACTS, ['needrestart']), ['needrestart'])
  assert.match(textOf(root, 'etc/needrestart/conf.d/90envs.conf'), /^\$nrconf\{restart\} = 'l';$/m)
  assert.deepEqual(fixTree(root, TREE_FACTS, ['needrestart']), [])
})

test('a tree without cloud-init and needrestart gets no folder of theirs', async (t) => {
  const root = await treeFolder(t)
  fixTree(root, TREE_FACTS)
  assert.equal(existsSync(join(root, 'etc/cloud')), false)
  assert.equal(existsSync(join(root, 'etc/needrestart')), false)
})

test('a link in the place of the folder of cloud-init is left alone', async (t) => {
  const root = await treeFolder(t)
  mkdirSync(join(root, 'etc'))
  mkdirSync(join(root, 'elsewhere'))
  symlinkSync('../elsewhere', join(root, 'etc/cloud'))
  fixTree(root, TREE_FACTS, ['cloud-init'])
  assert.deepEqual(readdirSync(join(root, 'elsewhere')), [])
})
