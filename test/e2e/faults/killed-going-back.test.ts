import type {TestContext} from 'node:test'
import type {EnvironmentCli} from '../../support/environment-cli.js'
import {killAtSteps} from '../../support/killed-store.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {done, givenEnvironment} from '../../support/store-at-rest.js'
import {deepen, writeUpper} from '../../support/store-state.js'

test('snapshot, killed at any step', async (t) => {
  await killAtSteps(await givenSnapshots(t), {argv: ['snapshot', 'play', 'third'], again: 4})
})

test('snapshot, killed at any step, where layers have to be merged', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  await deepen(cli.data, 'play')
  writeUpper(cli.data, 'play', 'marker', 'written since')
  await killAtSteps(cli, {argv: ['snapshot', 'play', 'last'], again: 4, isSlow: true})
})

test('restore, killed at any step', async (t) => {
  await killAtSteps(await givenSnapshots(t), {argv: ['restore', 'play', 'first'], again: 0})
})

test('restore, killed at any step, of one that was renamed since', async (t) => {
  const cli = await givenSnapshots(t)
  await done(cli, 'rename', 'play', 'game')
  await killAtSteps(cli, {argv: ['restore', 'game', 'first'], again: 0})
})

test('undo, killed at any step', async (t) => {
  await killAtSteps(await givenSnapshots(t), {argv: ['undo', 'play']})
})

test('redo, killed at any step', async (t) => {
  const cli = await givenSnapshots(t)
  await done(cli, 'undo', 'play')
  await killAtSteps(cli, {argv: ['redo', 'play'], again: 3})
})

test('reset, killed at any step', async (t) => {
  await killAtSteps(await givenSnapshots(t), {argv: ['reset', 'play'], again: 0})
})

test('the removal of a snapshot, killed at any step', async (t) => {
  const cli = await givenSnapshots(t)
  await done(cli, 'restore', 'play', 'first')
  await killAtSteps(cli, {argv: ['snapshots', 'play', '--remove', 'second'], again: 3})
})

/** One with two snapshots, and files that were written since. */
async function givenSnapshots(t: TestContext): Promise<EnvironmentCli> {
  const cli = await givenEnvironment(t, 'play')
  for (const [label, content] of [
    ['first', '1'],
    ['second', '2 2'],
  ] as const) {
    writeUpper(cli.data, 'play', 'marker', content)
    await done(cli, 'snapshot', 'play', label)
  }
  writeUpper(cli.data, 'play', 'marker', 'written since')
  return cli
}
