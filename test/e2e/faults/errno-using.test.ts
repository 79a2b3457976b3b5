import type {TestContext} from 'node:test'
import {WITH_TRASH} from '../../support/cli.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {failAtCalls} from '../../support/failing-store.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {creation, done, givenEnvironment} from '../../support/store-at-rest.js'
import {writeUpper} from '../../support/store-state.js'

test('snapshot, with each errno at each call', async (t) => {
  await failAtCalls(await givenSnapshot(t), {turn: 2, argv: ['snapshot', 'play', 'second'], again: 4})
})

test('restore, with each errno at each call', async (t) => {
  await failAtCalls(await givenSnapshot(t), {turn: 3, argv: ['restore', 'play', 'first'], again: 0})
})

test('clone, with each errno at each call', async (t) => {
  await failAtCalls(await givenSnapshot(t), {
    turn: 4,
    always: [
      'node envs.js: exec flock (2) with EIO',
      'node envs.js: exec unshare with EMFILE',
      'node envs.js: mkdir /data/envs/layers/#/tree with EDQUOT',
    ],
    argv: ['clone', 'play', 'copy', '-q'],
    again: 4,
  })
})

test('export, with each errno at each call', async (t) => {
  const output = {name: 'play.tar', before: undefined}
  await failAtCalls(await givenSnapshot(t), {
    turn: 5,
    always: ['node envs.js: write /play.tar.partial-#-# with EROFS'],
    argv: ['export', 'play', '-o', 'play.tar'],
    again: 4,
    output,
  })
})

test('import, with each errno at each call', async (t) => {
  const cli = await givenSnapshot(t)
  await done(cli, 'export', 'play', '-o', 'play.tar')
  const argv = ['import', 'play.tar', '-n', 'new', '--identity', 'emulated', '-q']
  await failAtCalls(cli, {turn: 6, argv, again: 4})
})

test('rm, with each errno at each call', async (t) => {
  await failAtCalls(await givenSnapshot(t), {turn: 7, argv: ['rm', 'play'], again: 3})
})

test('rm --now, with each errno at each call', async (t) => {
  await failAtCalls(await givenSnapshot(t), {
    turn: 8,
    always: [
      'node envs.js: open /data/envs/environments (4) with ENOMEM',
      'node envs.js: rename /data/envs/layers/.removed.emulated.# with EIO',
      'node envs.js: fork  (5) with EAGAIN',
    ],
    argv: ['rm', '--now', 'play'],
    again: 3,
  })
})

for (const [turn, argv, again] of [
  [9, ['clone', 'plain', 'copy', '-q'], 4],
  [10, ['rm', '--now', 'plain'], 3],
] as const) {
  test(`${argv[0]} of one that is a folder, with each errno at each call`, async (t) => {
    const cli = await environmentCli(t)
    await done(cli, ...(await creation(t, 'plain')), '--storage', 'directory')
    await failAtCalls(cli, {turn, argv, again})
  })
}

/** An environment with a snapshot, and files that were written since, in a store with a trash. */
async function givenSnapshot(t: TestContext): Promise<EnvironmentCli> {
  const cli = await givenEnvironment(t, 'play', {variables: WITH_TRASH})
  writeUpper(cli.data, 'play', 'marker', '1')
  await done(cli, 'snapshot', 'play', 'first')
  writeUpper(cli.data, 'play', 'marker', 'written since')
  return cli
}
