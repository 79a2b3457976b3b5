import assert from 'node:assert/strict'
import {mkdir, readdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {anchorFiles} from '../../src/sandbox/anchor-state.js'
import {type EnvironmentCli, environmentCli} from '../support/environment-cli.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'

async function givenPlay(t: TestContext): Promise<EnvironmentCli> {
  const cli = await environmentCli(t)
  const made = await cli.run('create', await runnableRootfs(cli.home), '--name', 'play', '-q')
  assert.equal(made.status, 0, made.stderr)
  return cli
}

/** As the doctor tells of what was left behind. */
async function leftoversOf(cli: EnvironmentCli): Promise<string> {
  const {checks} = JSON.parse((await cli.run('doctor', '--json')).stdout)
  const {status, evidence} = checks.find(({id}: {id: string}) => id === 'leftovers')
  return `${status}: ${evidence}`
}

test('a store in which nothing was broken off needs no repair', async (t) => {
  const cli = await givenPlay(t)
  assert.equal(await leftoversOf(cli), 'pass: None.')
  const run = await cli.run('doctor', '--repair')
  assert.deepEqual([run.status, run.stdout, run.stderr], [0, 'There was nothing to repair.\n', ''])
  assert.equal((await cli.run('run', 'play', 'true')).status, 0)
})

test('what killed commands have left is found, and taken away when that is asked for', async (t) => {
  const cli = await givenPlay(t)
  const layers = join(cli.data, 'layers')
  await mkdir(join(cli.store, '.partial.emulated.0123abcd.other', 'rootfs', 'etc'), {recursive: true})
  await mkdir(join(cli.store, '.removed.emulated.0123abce.other'))
  await mkdir(join(layers, '.partial.emulated.0123abcd', 'tree'), {recursive: true})
  assert.equal(await leftoversOf(cli), 'warn: 2 incomplete folders; 1 unused layers.')
  assert.deepEqual((await cli.storeEntries()).length, 3)
  const run = await cli.run('doctor', '--repair')
  assert.deepEqual(run.stdout.split('\n'), [
    'Removed 2 folders that were incomplete.',
    'Removed 1 layer that no environment uses.',
    '',
  ])
  assert.deepEqual(await cli.storeEntries(), ['play'])
  assert.deepEqual(
    (await readdir(layers)).filter((name) => name.startsWith('.')),
    [],
  )
  assert.equal(await leftoversOf(cli), 'pass: None.')
})

test('what keeps an environment from starting is named with its process, and ended', async (t) => {
  const cli = await givenPlay(t)
  await cli.run('run', 'play', 'sh', '-c', 'sleep 100 >/dev/null 2>&1 &')
  await rm(anchorFiles(join(cli.store, 'play', 'run')).state)
  assert.match(
    await leftoversOf(cli),
    /^warn: process \d+(, \d+)* holds the lock of play, whose first process has ended\.$/,
  )
  const run = await cli.run('doctor', '--repair')
  assert.match(run.stdout, /^Ended the processes that kept play from starting: \d+(, \d+)*\.$/m)
  assert.equal(await leftoversOf(cli), 'pass: None.')
  const again = await cli.run('run', 'play', 'true')
  assert.deepEqual([again.status, again.stderr], [0, ''])
})

test('an environment that runs is not touched', async (t) => {
  const cli = await givenPlay(t)
  await cli.run('run', 'play', 'sh', '-c', 'sleep 100 >/dev/null 2>&1 &')
  await cli.run('doctor', '--repair')
  const processes: {command: string}[] = JSON.parse((await cli.run('ps', 'play', '--json')).stdout)
  assert.equal(processes.filter(({command}) => command.startsWith('sleep 100')).length, 1)
})
