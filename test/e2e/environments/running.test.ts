import assert from 'node:assert/strict'
import {type TestContext, test} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {type GroupRun, startGroup} from '../../support/process-group.js'
import {seededRootfs} from '../../support/seeded-image.js'

test('list and show tell that it runs, and how much of it', async (t) => {
  const {cli} = await givenRunning(t)
  const listed = JSON.parse((await cli.run('list', '--json')).stdout)
  assert.equal(listed[0].state, 'running')
  assert.ok(Date.now() - Date.parse(listed[0].lastUsedAt) < 60_000)
  const shown = JSON.parse((await cli.run('show', '--json')).stdout)
  assert.deepEqual([shown.state, shown.processes], ['running', 1])
  assert.ok(shown.anchorPid > 1)
  assert.match((await cli.run('show')).stdout, /^State +running, 1 process$/m)
})

test('rm refuses one that runs, and says what to do', async (t) => {
  const {cli} = await givenRunning(t)
  assert.deepEqual(await cli.run('rm', 'play'), {
    status: 4,
    signal: null,
    stdout: '',
    stderr:
      'envs: The environment "play" is running.\n' +
      '  See its processes: envs ps play. Stop them: envs stop play\n' +
      '  Or have envs stop the environment first: envs rm --force play\n',
  })
  assert.equal((await cli.run('run', 'play', 'true')).status, 0)
})

test('rm --force ends what runs, and removes it', async (t) => {
  const {cli, session} = await givenRunning(t)
  const run = await cli.run('rm', '--force', 'play')
  assert.deepEqual([run.status, run.stderr], [0, 'Removed play.\n'])
  assert.equal((await session.ended).status, 143)
  assert.deepEqual(await cli.storeEntries(), [])
})

test('rename refuses one that runs, and leaves it', async (t) => {
  const {cli} = await givenRunning(t)
  const run = await cli.run('rename', 'play', 'web', '--json')
  assert.equal(run.status, 4)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_RUNNING')
  assert.equal((await cli.run('run', 'play', 'cat', '/etc/hostname')).stdout, 'play\n')
})

test('stop ends it, and the session says by which signal', async (t) => {
  const {cli, session} = await givenRunning(t)
  const run = await cli.run('stop', 'play', '--json')
  assert.deepEqual(JSON.parse(run.stdout), {name: 'play', wasRunning: true, killed: []})
  assert.equal((await session.ended).status, 143)
  assert.equal((await cli.run('show', '--json')).stdout.includes('"state": "stopped"'), true)
})

test('one that ran and was renamed goes by its new name inside', async (t) => {
  const {cli, session} = await givenRunning(t)
  await cli.run('stop', 'play')
  await session.ended
  await cli.run('rename', 'play', 'web')
  const run = await cli.run('run', 'web', 'sh', '-c', 'hostname; echo $debian_chroot; getent hosts web')
  assert.deepEqual(run.stdout.split('\n').slice(0, 2), ['web', 'web'])
  assert.match(run.stdout, /^127\.0\.1\.1 +web$/m)
})

test('its size grows with what is written inside', async (t) => {
  const {cli} = await givenRunning(t)
  const sizeBytes = async () => JSON.parse((await cli.run('list', '--json')).stdout)[0].sizeBytes
  const before = await sizeBytes()
  await cli.run('run', 'play', 'sh', '-c', 'head -c 3000000 /dev/urandom > /root/big')
  assert.ok((await sizeBytes()) >= before + 3_000_000)
})

/** An environment `play` of a real Debian, in which a sleep runs. */
async function givenRunning(t: TestContext): Promise<{cli: EnvironmentCli; session: GroupRun}> {
  const cli = await environmentCli(t)
  const created = await cli.run('create', await seededRootfs(cli), '--name', 'play', '--quiet')
  assert.equal(created.status, 0, created.stderr)
  const session = startGroup(cli, ['run', 'play', 'sleep', '100'])
  while (!(await cli.run('ps', 'play')).stdout.includes('sleep 100')) await sleep(20)
  return {cli, session}
}
