import assert from 'node:assert/strict'
import {existsSync, readdirSync} from 'node:fs'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {EnvironmentCli} from '../../support/environment-cli.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, done, givenEnvironment} from '../../support/store-at-rest.js'
import {storeState, writeUpper} from '../../support/store-state.js'

test('an unreadable history keeps its own layers, and not those of other environments', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  writeUpper(cli.data, 'play', 'marker', 'whole')
  await done(cli, 'snapshot', 'play', 'first')
  await done(cli, 'clone', 'play', 'copy', '-q')
  const before = storeState(cli.data).environments['play']
  const history = join(cli.store, 'play', 'history.json')
  const text = await readFile(history)
  const own = ownLayers(cli)
  await writeFile(history, '{')

  await done(cli, ...(await creation(t, 'other')))
  writeUpper(cli.data, 'other', 'marker', 'whole')
  await done(cli, 'snapshot', 'other', 'first')
  const leftover = join(cli.data, 'layers', '.removed.emulated.0123abcd')
  await mkdir(join(leftover, 'tree'), {recursive: true})
  await done(cli, 'rm', 'other')
  assert.deepEqual(ownLayers(cli), own)
  assert.equal(existsSync(leftover), false)

  // The clone shares the layers of the damaged environment, and has one of its own.
  await done(cli, 'rm', 'copy')
  assert.equal(ownLayers(cli).length, own.length - 1)
  await writeFile(history, text)
  assert.equal(storeState(cli.data).environments['play'], before)
  assert.deepEqual(storeState(cli.data).leftovers, [])
})

/** Layers that are no image's. */
function ownLayers({data}: EnvironmentCli): string[] {
  const layers = join(data, 'layers')
  return readdirSync(layers)
    .filter((name) => !name.startsWith('.') && !existsSync(join(layers, name, 'layer.json')))
    .sort()
}
