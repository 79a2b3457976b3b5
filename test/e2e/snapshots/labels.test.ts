import assert from 'node:assert/strict'
import type {TestContext} from 'node:test'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

test('an environment that was never started has nothing to undo', async (t) => {
  const cli = await tinyEnvironment(t)
  assert.equal((await cli.run('undo', 'tiny')).status, 3)
  assert.deepEqual(await labels(cli), [])
})

test('reset of an environment that was never started keeps its own files', async (t) => {
  const cli = await tinyEnvironment(t)
  const went = JSON.parse((await cli.run('reset', 'tiny', '--json')).stdout)
  assert.deepEqual([went.label, went.kept, went.isKeptNew], ['initial', 'initial', false])
  assert.deepEqual(await labels(cli), ['initial'])
})

test('of labels to be removed none goes unless all are there', async (t) => {
  const cli = await tinyEnvironment(t)
  await cli.run('snapshot', 'tiny', 'there')
  const run = await cli.run('snapshots', 'tiny', '--remove', 'there', '--remove', 'ther')
  assert.deepEqual(
    [run.status, run.stderr],
    [3, 'envs: The environment "tiny" has no snapshot "ther".\n  Did you mean there?\n'],
  )
  assert.deepEqual(await labels(cli), ['there'])
  await cli.run('snapshots', 'tiny', '--remove', 'there')
  assert.deepEqual(await labels(cli), [])
})

test('a label can be had once, and must be a word', async (t) => {
  const cli = await tinyEnvironment(t)
  await cli.run('snapshot', 'tiny', 'once')
  assert.equal((await cli.run('snapshot', 'tiny', 'once')).status, 4)
  assert.equal((await cli.run('snapshot', 'tiny', 'Two words')).status, 2)
  const taken = [await cli.run('snapshot', 'tiny'), await cli.run('snapshot', 'tiny')]
  assert.deepEqual(
    taken.map(({status}) => status),
    [0, 0],
  )
  const [, second = '', third = ''] = await labels(cli)
  assert.match(second, /^\d{8}-\d{6}$/)
  assert.match(third, /^\d{8}-\d{6}(-2)?$/)
})

test('an environment that is one folder says how to keep a copy', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  await cli.runWith({env: {ENVS_STORAGE: 'directory'}}, 'create', path)
  for (const [verb, ...rest] of [
    ['snapshot'],
    ['snapshots'],
    ['undo'],
    ['reset'],
    ['restore', 'x'],
  ] as const) {
    const run = await cli.run(verb, 'tiny', ...rest)
    assert.equal(run.status, 4)
    assert.match(
      run.stderr,
      /cannot have snapshots: its storage is directory\.\n {2}Keep a copy of the environment: envs clone tiny tiny-copy/,
    )
  }
})

test('an environment that is not there has no snapshots', async (t) => {
  const cli = await tinyEnvironment(t)
  const run = await cli.run('snapshot', 'tin')
  assert.deepEqual(
    [run.status, run.stderr],
    [3, 'envs: There is no environment "tin".\n  Did you mean tiny?\n'],
  )
})

async function tinyEnvironment(t: TestContext): Promise<EnvironmentCli> {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  assert.equal((await cli.run('create', path, '--identity', 'emulated')).status, 0)
  return cli
}

async function labels(cli: EnvironmentCli): Promise<string[]> {
  return (await cli.run('snapshots', 'tiny', '--quiet')).stdout.split('\n').filter((line) => line !== '')
}
