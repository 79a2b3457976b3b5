import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {isLockFree, takeLock} from '../../../src/host/locks.js'
import {type EnvironmentCli, plainCli} from '../../support/environment-cli.js'
import {type Gate, gatedProgram} from '../../support/gated-program.js'
import {type GroupRun, isWaiting, startGroup} from '../../support/process-group.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

/** Of an image that is small enough for the one that waits for the lock to get it in time on a busy machine. */
const ROUNDS = 3

test('of two creates of one name at once, one makes it and the other says that it is there', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (let round = 0; round < ROUNDS; round++) {
    const runs = await Promise.all([1, 2].map(() => cli.run('create', path, '--json')))
    assert.deepEqual(runs.map(({status}) => status).sort(), [0, 4])
    for (const {status, stdout} of runs)
      if (status === 4) assert.equal(JSON.parse(stdout).error.code, 'ENVS_EXISTS')
    assert.deepEqual(await cli.storeEntries(), ['tiny'])
    await cli.run('rm', 'tiny')
  }
})

test('creates of different names at once do not hinder each other', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  const runs = await Promise.all(['a', 'b', 'c'].map((name) => cli.run('create', path, '--name', name)))
  assert.deepEqual(
    runs.map(({status}) => status),
    [0, 0, 0],
  )
  assert.deepEqual(await cli.storeEntries(), ['a', 'b', 'c'])
})

test('of two rm of one name at once, one removes it and the other finds none', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (let round = 0; round < ROUNDS; round++) {
    await cli.run('create', path)
    const runs = await Promise.all([1, 2].map(() => cli.run('rm', 'tiny', '--json')))
    assert.deepEqual(runs.map(({status}) => status).sort(), [0, 3])
    assert.deepEqual(await cli.storeEntries(), [])
  }
})

test('list at any time while others create and remove works', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  let isOver = false
  const churn = (async () => {
    for (let round = 0; round < 6; round++) {
      await cli.run('create', path)
      await cli.run('rm', 'tiny')
    }
    isOver = true
  })()
  while (!isOver) {
    const run = await cli.run('list', '--json')
    assert.deepEqual([run.status, run.stderr], [0, ''], run.stdout)
  }
  await churn
})

type Gated = {readonly cli: EnvironmentCli; readonly gate: Gate; start(...argv: string[]): GroupRun}

/** An environment play, and commands that a program of the host's can hold up. */
async function givenGate(t: TestContext, program: string): Promise<Gated> {
  const cli = await plainCli(t)
  const {status, stderr} = await cli.run(
    'create',
    await runnableRootfs(cli.home),
    '--name',
    'play',
    '--quiet',
  )
  assert.equal(status, 0, stderr)
  const gate = await gatedProgram(cli.home, program)
  const PATH = `${gate.folder}:${cli.env['PATH']}`
  // What it finds out about this host, it need not find out at the gate.
  await cli.runWith({env: {PATH}}, 'run', 'play', 'sh', '-c', ':')
  await cli.run('stop', '--force', 'play')
  await gate.close()
  return {cli, gate, start: (...argv) => startGroup(cli, argv, {PATH})}
}

for (const argv of [
  ['rm', 'play'],
  ['rename', 'play', 'other'],
]) {
  test(`${argv.join(' ')} does nothing while a session begins, which goes on`, async (t) => {
    const {cli, gate, start} = await givenGate(t, 'bwrap')
    const session = start('run', 'play', 'sh', '-c', 'echo inside')
    await gate.reached()
    assert.equal((await cli.run(...argv)).status, 4)
    assert.deepEqual(await cli.storeEntries(), ['play'])
    await gate.open()
    const {status, stdout, stderr} = await session.ended
    assert.deepEqual([status, stdout, stderr], [0, 'inside\n', ''])
  })
}

test('rm --force waits for a session that begins, and ends it', async (t) => {
  const {cli, gate, start} = await givenGate(t, 'bwrap')
  const session = start('run', 'play', 'sh', '-c', 'while :; do sleep 1; done')
  await gate.reached()
  const looks = await gatedProgram(cli.home, 'flock')
  await looks.close()
  const removing = startGroup(cli, ['rm', '--force', 'play'], {PATH: `${looks.folder}:${cli.env['PATH']}`})
  await looks.reached()
  await looks.open()
  await gate.open()
  const removed = await removing.ended
  assert.deepEqual([removed.status, removed.stderr], [0, 'Removed play.\n'])
  assert.deepEqual(await cli.storeEntries(), [])
  assert.notEqual((await session.ended).status, 0)
})

test('create of a name that is being removed makes it anew', async (t) => {
  const {cli, gate, start} = await givenGate(t, 'rm')
  const removing = start('rm', 'play')
  await gate.reached()
  const creating = start('create', join(cli.home, 'runnable.tar.gz'), '--name', 'play', '--quiet')
  await gate.open()
  for (const {status, stderr} of [await removing.ended, await creating.ended]) assert.equal(status, 0, stderr)
  assert.deepEqual(await cli.storeEntries(), ['play'])
  assert.ok(existsSync(join(cli.root('play'), 'bin/true')))
})

test('a session that comes while the environment is removed finds none, and brings nothing back', async (t) => {
  const {cli, gate, start} = await givenGate(t, 'rm')
  const removing = start('rm', 'play')
  await gate.reached()
  const ran = await cli.run('run', 'play', 'true')
  assert.deepEqual(
    [ran.status, ran.stdout, ran.stderr.split('\n')[0]],
    [125, '', 'envs: There is no environment "play".'],
  )
  await gate.open()
  assert.equal((await removing.ended).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

test('two renames that cross do not wait for each other', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  for (const name of ['a', 'b']) await cli.run('create', path, '--name', name)
  const runs = await Promise.all([cli.run('rename', 'a', 'b'), cli.run('rename', 'b', 'a')])
  assert.deepEqual(
    runs.map(({status}) => status),
    [4, 4],
  )
  assert.deepEqual(await cli.storeEntries(), ['a', 'b'])
})

test('a command that waited in vain for the lock says who has it', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  const lock = join(cli.data, 'locks', 'tiny.lock')
  const holder = spawn('flock', ['--no-fork', lock, 'sleep', '60'], {stdio: 'ignore'})
  t.after(() => holder.kill())
  await waitUntil('the lock is held', async () => existsSync(lock) && !(await isLockFree(lock)))
  const start = performance.now()
  const run = await cli.run('rm', 'tiny')
  const waitedMs = performance.now() - start
  assert.deepEqual(run, {
    status: 4,
    signal: null,
    stdout: '',
    stderr:
      `envs: The environment "tiny" is in use by sleep 60 (process ${holder.pid}).\n` +
      '  Stop its processes (envs ps tiny; envs stop tiny), or wait for them to end.\n',
  })
  assert.ok(waitedMs > 1000, String(waitedMs))
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
})

test('a command that waits for the lock goes on when it is free', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  const lock = await takeLock(join(cli.data, 'locks', 'tiny.lock'), {mode: 'exclusive', waitMs: 0})
  const renaming = startGroup(cli, ['rename', 'tiny', 'web'])
  await waitUntil('the lock is waited for', () => isWaiting(renaming.pid))
  lock?.release()
  assert.equal((await renaming.ended).status, 0)
})
