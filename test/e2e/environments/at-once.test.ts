import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Ran} from '../../support/cli.js'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {plainCli} from '../../support/environment-cli.js'
import {LAST_MEMBER, tinyRootfs} from '../../support/tiny-rootfs.js'

const ROUNDS = 3

test('of creates of one name at once, one makes it and the others say that it is there', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 200})
  for (let round = 0; round < ROUNDS; round++) {
    const runs = await Promise.all([1, 2, 3].map(() => cli.run('create', path, '--json')))
    assert.deepEqual(runs.map(({status}) => status).sort(), [0, 4, 4])
    for (const {status, stdout} of runs)
      if (status === 4) assert.equal(JSON.parse(stdout).error.code, 'ENVS_EXISTS')
    assert.deepEqual(await cli.storeEntries(), ['tiny'])
    await cli.run('rm', 'tiny')
  }
})

test('creates of different names at once do not hinder each other', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 200})
  const runs = await Promise.all(['a', 'b', 'c'].map((name) => cli.run('create', path, '--name', name)))
  assert.deepEqual(
    runs.map(({status}) => status),
    [0, 0, 0],
  )
  assert.deepEqual(await cli.storeEntries(), ['a', 'b', 'c'])
})

test('rm and create of one name at once leave all of it or nothing', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 200})
  for (let round = 0; round < ROUNDS; round++) {
    await cli.run('create', path)
    const [removed, created] = await Promise.all([cli.run('rm', 'tiny'), cli.run('create', path)])
    assert.equal(removed.status, 0, removed.stderr)
    assert.ok([0, 4].includes(created.status ?? -1), created.stderr)
    assert.deepEqual(await cli.storeEntries(), created.status === 0 ? ['tiny'] : [])
    assert.equal(existsSync(join(cli.root('tiny'), LAST_MEMBER)), created.status === 0)
    await cli.run('rm', 'tiny')
  }
})

test('of two rm of one name at once, one removes it and the other finds none', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 200})
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

function refusal({status, stdout, stderr}: Ran) {
  return [status, stdout, stderr.split('\n')[0]]
}

test('run and rm at once: the one that is first wins, and nothing comes back', async (t) => {
  const cli = await plainCli(t)
  const rootfs = await debianRootfs()
  for (let round = 0; round < ROUNDS; round++) {
    await cli.run('create', rootfs, '--name', 'play', '--quiet')
    const removing = cli.run('rm', 'play', '--json')
    await sleep(round * 40)
    const ran = await cli.run('run', 'play', 'echo', 'inside')
    const removed = await removing
    if (removed.status === 0) {
      // It came too late, or first, and its end was waited for.
      if (ran.status === 0) assert.equal(ran.stdout, 'inside\n')
      else assert.deepEqual(refusal(ran), [125, '', 'envs: There is no environment "play".'])
      assert.deepEqual(await cli.storeEntries(), [])
    } else {
      assert.equal(removed.status, 4, removed.stdout)
      assert.deepEqual([ran.status, ran.stdout], [0, 'inside\n'], ran.stderr)
    }
    await cli.run('rm', '--force', 'play')
  }
})

test('run and rm --force at once: nothing comes back', async (t) => {
  const cli = await plainCli(t)
  const rootfs = await debianRootfs()
  for (let round = 0; round < ROUNDS; round++) {
    await cli.run('create', rootfs, '--name', 'play', '--quiet')
    const running = cli.run('run', 'play', 'sleep', '30')
    await sleep(150 + round * 60)
    const removed = await cli.run('rm', '--force', 'play')
    const ran = await running
    assert.ok([0, 4].includes(removed.status ?? -1), removed.stderr)
    if (removed.status === 0) {
      assert.ok([125, 129, 137, 143].includes(ran.status ?? -1), `${ran.status} ${ran.stderr}`)
      assert.deepEqual(await cli.storeEntries(), [])
    }
    await cli.run('rm', '--force', 'play')
  }
})

test('run and rename at once: it runs under the old name, or there is none', async (t) => {
  const cli = await plainCli(t)
  await cli.run('create', await debianRootfs(), '--name', 'old', '--quiet')
  for (let round = 0; round < ROUNDS; round++) {
    const renaming = cli.run('rename', 'old', 'new')
    await sleep(round * 40)
    const ran = await cli.run('run', 'old', 'hostname')
    const renamed = await renaming
    if (renamed.status === 0) {
      if (ran.status === 0) assert.equal(ran.stdout, 'old\n')
      else assert.deepEqual(refusal(ran), [125, '', 'envs: There is no environment "old".'])
      assert.deepEqual(await cli.storeEntries(), ['new'])
      assert.equal((await cli.run('rename', 'new', 'old')).status, 0)
    } else {
      assert.equal(renamed.status, 4, renamed.stderr)
      assert.deepEqual([ran.status, ran.stdout], [0, 'old\n'])
      await cli.run('stop', 'old')
    }
  }
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
  await once(holder, 'spawn')
  await sleep(200)
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
  assert.ok(waitedMs > 1000 && waitedMs < 10_000, String(waitedMs))
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
})

test('a command that waits for the lock goes on when it is free', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  const holder = spawn('flock', [join(cli.data, 'locks', 'tiny.lock'), 'sleep', '1'], {stdio: 'ignore'})
  t.after(() => holder.kill())
  await once(holder, 'spawn')
  assert.equal((await cli.run('rename', 'tiny', 'web')).status, 0)
})
