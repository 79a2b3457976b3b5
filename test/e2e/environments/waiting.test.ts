import assert from 'node:assert/strict'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {takeLock} from '../../../src/host/locks.js'
import {type EnvironmentCli, plainCli} from '../../support/environment-cli.js'
import {isWaiting, startGroup} from '../../support/process-group.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

async function givenTiny(t: TestContext): Promise<{cli: EnvironmentCli; path: string}> {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  const created = await cli.run('create', path, '--quiet')
  assert.equal(created.status, 0, created.stderr)
  return {cli, path}
}

/** Holds the lock of an environment, as a session or another command does. */
async function hold(cli: EnvironmentCli, name: string, mode: 'shared' | 'exclusive') {
  const lock = await takeLock(join(cli.data, 'locks', `${name}.lock`), {mode, waitMs: 0})
  assert.ok(lock)
  return lock
}

test('create of an environment that is in use reports at once that it exists', async (t) => {
  const {cli, path} = await givenTiny(t)
  const lock = await hold(cli, 'tiny', 'shared')
  t.after(() => lock.release())
  // A command that waits for the lock would exceed the time limit of the test.
  const run = await cli.run('create', path, '--wait', '1h', '--json')
  assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [4, 'ENVS_EXISTS'])
})

test('clone to the name of an environment that is in use reports at once that it exists', async (t) => {
  const {cli, path} = await givenTiny(t)
  await cli.run('create', path, '--name', 'other', '--quiet')
  const lock = await hold(cli, 'other', 'shared')
  t.after(() => lock.release())
  const run = await cli.run('clone', 'tiny', 'other', '--wait', '1h', '--json')
  assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [4, 'ENVS_EXISTS'])
})

test('create --if-missing succeeds for an environment that exists, and changes nothing', async (t) => {
  const {cli, path} = await givenTiny(t)
  const before = JSON.parse((await cli.run('show', 'tiny', '--json')).stdout)
  const run = await cli.run('create', path, '--if-missing')
  assert.deepEqual([run.status, run.stderr], [0, ''])
  assert.equal(run.stdout, `The environment tiny exists already, made from ${path}.\n`)
  const result = JSON.parse((await cli.run('create', path, '--if-missing', '--json')).stdout)
  assert.deepEqual([result.name, result.createdAt], ['tiny', before.createdAt])
})

test('create --if-missing makes an environment that does not exist', async (t) => {
  const {cli, path} = await givenTiny(t)
  const run = await cli.run('create', path, '--if-missing', '--name', 'other', '--quiet')
  assert.deepEqual([run.status, run.stdout], [0, `Created other in ${cli.root('other')}\n`], run.stderr)
})

for (const {command, name} of [
  {command: 'create', name: 'other'},
  {command: 'clone', name: 'tiny'},
]) {
  test(`${command} says that it waits for another command, and continues when that one ends`, async (t) => {
    const {cli, path} = await givenTiny(t)
    const lock = await hold(cli, name, 'exclusive')
    const argv = command === 'create' ? ['create', path, '--name', 'other'] : ['clone', 'tiny', 'other']
    const run = startGroup(cli, argv)
    await waitUntil('the lock is waited for', () => isWaiting(run.pid))
    await waitUntil('the command says so', () => run.stderr().includes('Waiting'))
    lock.release()
    const {status, stderr} = await run.ended
    assert.equal(status, 0, stderr)
    const [first] = stderr.split('\n')
    assert.equal(first, `Waiting for commands that use the environment "${name}", at most 60 s (--wait).`)
    assert.deepEqual(await cli.storeEntries(), ['other', 'tiny'])
  })
}

test('clone --wait 0 fails at once while another command uses the source', async (t) => {
  const {cli} = await givenTiny(t)
  const lock = await hold(cli, 'tiny', 'exclusive')
  t.after(() => lock.release())
  const run = await cli.run('clone', 'tiny', 'other', '--wait', '0', '--json')
  assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [4, 'ENVS_BUSY'])
})

test('of ten clones of one environment at once, all succeed', async (t) => {
  const {cli} = await givenTiny(t)
  const names = Array.from({length: 10}, (_, index) => `copy-${index}`)
  const runs = await Promise.all(names.map((name) => cli.run('clone', 'tiny', name)))
  assert.deepEqual(
    runs.map(({status, stderr}) => (status === 0 ? '' : stderr)),
    names.map(() => ''),
  )
  assert.deepEqual(await cli.storeEntries(), [...names, 'tiny'])
})

test('a time without a unit is refused', async (t) => {
  const cli = await plainCli(t)
  const run = await cli.run('clone', 'a', 'b', '--wait', '30')
  assert.deepEqual(
    [run.status, run.stderr],
    [2, 'envs: "30" is not a valid time.\n  Write seconds, minutes or hours: 30s, 5m, 1h\n'],
  )
})

test('create --dry-run prints what it would do with a tarball, and does nothing', async (t) => {
  const cli = await plainCli(t)
  const {path, bytes} = await tinyRootfs(t)
  const run = await cli.run('create', path, '--dry-run', '--json')
  assert.equal(run.status, 0, run.stdout)
  const {name, action, image, storage, dryRun} = JSON.parse(run.stdout)
  assert.deepEqual([name, action, storage, dryRun], ['tiny', 'read', 'directory', true])
  assert.deepEqual([image.source, image.sizeBytes, image.sha256], [path, bytes.length, null])
  assert.deepEqual(await cli.storeEntries(), [])
  const text = await cli.run('create', path, '--dry-run')
  assert.match(text.stdout, /^Environment +tiny\nImage +\S+tiny\S*\nSize +\d/)
  assert.match(text.stdout, /^Image would be +read in place$/m)
})

test('create --dry-run fails as create would', async (t) => {
  const {cli, path} = await givenTiny(t)
  const taken = await cli.run('create', path, '--dry-run', '--json')
  assert.deepEqual([taken.status, JSON.parse(taken.stdout).error.code], [4, 'ENVS_EXISTS'])
  const missing = await cli.run('create', './nothing.tar', '--dry-run', '--json')
  assert.deepEqual([missing.status, JSON.parse(missing.stdout).error.code], [3, 'ENVS_IMAGE_NOT_FOUND'])
})
