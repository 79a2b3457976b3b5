import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {filesIn, type LayerFiles, removeEmptyLayer} from '../../../src/store/layers.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

/** A layer as it is after its first mount. */
async function mountedLayer(t: TestContext): Promise<LayerFiles> {
  const layer = filesIn(join(await temporaryFolder(t), '.removed.emulated.0123abcd'))
  await mkdir(layer.folder)
  await mkdir(layer.tree)
  await mkdir(layer.work)
  await mkdir(join(layer.work, 'work'), {mode: 0})
  return layer
}

test('a layer that nothing was written to is taken away, after a mount of it too', async (t) => {
  const {folder} = await mountedLayer(t)
  assert.equal(removeEmptyLayer(folder), true)
  assert.equal(existsSync(folder), false)
})

test('of a layer with a file in it nothing is taken away', async (t) => {
  const {folder, tree, work} = await mountedLayer(t)
  await writeFile(join(tree, 'kept'), 'content')
  assert.equal(removeEmptyLayer(folder), false)
  assert.equal(await readFile(join(tree, 'kept'), 'utf8'), 'content')
  assert.equal(existsSync(join(work, 'work')), true)
})

test('a layer of which more is known than its files is left to others, and so is none at all', async (t) => {
  const {folder, record} = await mountedLayer(t)
  await writeFile(record, '{}')
  assert.equal(removeEmptyLayer(folder), false)
  assert.equal(await readFile(record, 'utf8'), '{}')
  assert.equal(removeEmptyLayer(join(folder, 'missing')), false)
})
