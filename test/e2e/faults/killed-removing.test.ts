import type {TestContext} from 'node:test'
import {WITH_TRASH} from '../../support/cli.js'
import type {EnvironmentCli} from '../../support/environment-cli.js'
import {killAtSteps} from '../../support/killed-store.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {done, givenEnvironment} from '../../support/store-at-rest.js'
import {writeUpper} from '../../support/store-state.js'

test('rm, killed at any step', async (t) => {
  await killAtSteps(await givenSealed(t), {argv: ['rm', 'play'], again: 3})
})

test('rm --now, killed at any step', async (t) => {
  await killAtSteps(await givenSealed(t), {argv: ['rm', '--now', 'play'], again: 3})
})

test('rm --now of a removed environment, killed at any step', async (t) => {
  const cli = await givenSealed(t)
  await done(cli, 'rm', 'play')
  await killAtSteps(cli, {argv: ['rm', '--now', 'play'], again: 3, isSlow: true})
})

test('recover, killed at any step', async (t) => {
  const cli = await givenSealed(t)
  await done(cli, 'rm', 'play')
  await killAtSteps(cli, {argv: ['recover', 'play'], again: 3})
})

test('recover under another name, killed at any step', async (t) => {
  const cli = await givenSealed(t)
  await done(cli, 'rm', 'play')
  await killAtSteps(cli, {argv: ['recover', 'play', '--name', 'again'], changes: ['play'], again: 3})
})

test('prune of removed environments, killed at any step', async (t) => {
  const cli = await givenSealed(t)
  await done(cli, 'rm', 'play')
  await killAtSteps(cli, {
    argv: ['prune', '--removed', '--yes', '--older-than', '52w'],
    again: 0,
    isSlow: true,
  })
})

/** An environment with a snapshot, and files that were written since, in a store with a trash. */
async function givenSealed(t: TestContext): Promise<EnvironmentCli> {
  const cli = await givenEnvironment(t, 'play', {variables: WITH_TRASH})
  writeUpper(cli.data, 'play', 'marker', '1')
  await done(cli, 'snapshot', 'play', 'first')
  writeUpper(cli.data, 'play', 'marker', 'written since')
  return cli
}
