import assert from 'node:assert/strict'
import {existsSync, lstatSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {fixTree} from '../../../../src/rootfs/fixes/apply.js'
import {plant, textOf} from '../../../support/apt-tree.js'
import {treeFolder} from '../../../support/extraction.js'
import {TREE_FACTS} from '../../../support/tree-facts.js'

const SETTINGS = 'etc/apt/apt.conf.d/91envs-packages'
const setting = (method: string) => `Dir::Bin::Methods::${method} "/usr/lib/envs/apt-methods/${method}";\n`

test("APT's methods are reached through ours, each by its own name", async (t) => {
  const root = await given(t, 'http', 'https')
  fix(root)
  assert.equal(textOf(root, SETTINGS), setting('http') + setting('https'))
  for (const method of ['http', 'https']) {
    assert.equal(lstatSync(join(root, 'usr/lib/envs/apt-methods', method)).mode & 0o7777, 0o755)
  }
  assert.equal(lstatSync(join(root, 'usr/lib/envs/apt-http.pl')).mode & 0o7777, 0o644)
})

test('a method that the tree does not have is not made to look as if it were there', async (t) => {
  const root = await given(t, 'http')
  fix(root)
  assert.equal(textOf(root, SETTINGS), setting('http'))
  assert.equal(existsSync(join(root, 'usr/lib/envs/apt-methods/https')), false)
})

test('a tree without methods of APT gets nothing', async (t) => {
  const root = await given(t)
  assert.deepEqual(fix(root), [])
  assert.equal(existsSync(join(root, 'usr/lib/envs')), false)
})

const fix = (root: string) => fixTree(root, TREE_FACTS, ['apt-packages'])

async function given(t: TestContext, ...methods: string[]): Promise<string> {
  const root = await treeFolder(t)
  plant(root, 'etc/apt/sources.list', '')
  for (const method of methods) plant(root, `usr/lib/apt/methods/${method}`, '')
  return root
}
