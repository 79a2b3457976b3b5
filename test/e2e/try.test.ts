import assert from 'node:assert/strict'
import {utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {takeLock} from '../../src/host/locks.js'
import {type EnvironmentCli, environmentCli} from '../support/environment-cli.js'
import {IDENTITIES} from '../support/guest.js'
import {isWaiting, startGroup} from '../support/process-group.js'
import {seededRootfs} from '../support/seeded-image.js'
import {givenEnvironment} from '../support/store-at-rest.js'
import {waitUntil} from '../support/wait-until.js'

type Row = {readonly name: string; readonly state: string}

async function rows(cli: EnvironmentCli, ...flags: string[]): Promise<Row[]> {
  const all: Row[] = JSON.parse((await cli.run('list', '--json', ...flags)).stdout)
  return all.map(({name, state}) => ({name, state}))
}

const ENDED = {name: 'try-1', state: 'ended'}

for (const {identity, skip} of IDENTITIES) {
  test(`try runs a command in an environment that is out of sight afterwards, ${identity}`, {
    skip,
  }, async (t) => {
    const cli = await environmentCli(t)
    const env = {ENVS_IDENTITY: identity}
    const run = await cli.runWith(
      {input: 'from the caller', env},
      ...[
        'try',
        await seededRootfs(cli, identity),
        '--env',
        'A=b',
        '-q',
        '--',
        'sh',
        '-c',
        'cat; echo; hostname; echo $A; exit 3',
      ],
    )
    assert.deepEqual([run.status, run.stdout, run.stderr], [3, 'from the caller\ntry-1\nb\n', ''])
    assert.deepEqual(await rows(cli), [])
    assert.deepEqual(await rows(cli, '--all'), [ENDED])
  })
}

test('what was started inside ends with the command', async (t) => {
  const cli = await environmentCli(t)
  const script = 'sleep 1000 >/dev/null 2>&1 </dev/null & echo started'
  const run = await cli.run('try', await seededRootfs(cli), '-q', '--', 'sh', '-c', script)
  assert.deepEqual([run.status, run.stdout], [0, 'started\n'])
  assert.deepEqual(JSON.parse((await cli.run('ps', '--json')).stdout), [])
})

test('try installs packages first, and keeps standard output and input for the command', async (t) => {
  const cli = await environmentCli(t)
  const argv = ['try', await seededRootfs(cli), 'hello', '--', 'sh', '-c', 'hello; cat'] as const
  const run = await cli.runWith({input: 'input'}, ...argv)
  assert.deepEqual([run.status, run.stdout], [0, 'Hello, world!\ninput'], run.stderr)
  assert.match(run.stderr, /Setting up hello /)
  const quiet = await cli.run('try', await seededRootfs(cli), 'hello', '--quiet', '--', 'hello')
  assert.deepEqual([quiet.status, quiet.stdout, quiet.stderr], [0, 'Hello, world!\n', ''])
})

test('a package that is not to be had is told of with 125, and nothing stays', async (t) => {
  const cli = await environmentCli(t)
  const run = await cli.run('try', await seededRootfs(cli), 'no-such-package', '-q', '--', 'true')
  assert.deepEqual([run.status, run.stdout], [125, ''])
  assert.match(
    run.stderr,
    /Unable to locate package no-such-package\nenvs: Could not install the packages no-such-package\./,
  )
  assert.deepEqual(await rows(cli, '--all'), [])
  assert.deepEqual(await cli.storeEntries(), [])
})

test('a first word that names no image is a package, and the image the default one', async (t) => {
  const cli = await environmentCli(t)
  const env = {ENVS_IMAGE: await seededRootfs(cli)}
  const run = await cli.runWith({env}, 'try', '-q', 'no-such-package')
  assert.equal(run.status, 125)
  assert.match(run.stderr, /\n {2}There is no image "no-such-package"\./)
  const plain = await cli.runWith({env}, 'try', '-q', '--', 'cat', '/etc/hostname')
  assert.deepEqual([plain.status, plain.stdout], [0, 'try-1\n'])
})

test('try of an image that can not be had ends with 125, and nothing stays', async (t) => {
  const cli = await environmentCli(t)
  for (const word of ['./nothing.tar', 'ubuntu:nothing']) {
    const run = await cli.run('try', word, '--', 'true')
    assert.equal(run.status, 125, word)
  }
  assert.deepEqual(await cli.storeEntries(), [])
})

test('a command that is not there ends with 127, and what was made can be kept', async (t) => {
  const cli = await environmentCli(t)
  const run = await cli.run('try', await seededRootfs(cli), '-q', '--', 'no-such-command')
  assert.equal(run.status, 127)
  assert.deepEqual(await rows(cli, '--all'), [ENDED])
})

test('one that has ended is not the only environment there is', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('create', await seededRootfs(cli), '--name', 'play')
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  assert.equal(JSON.parse((await cli.run('show', '--json')).stdout).name, 'play')
  assert.equal((await cli.run('show', 'try-1')).status, 0)
})

test('keep makes the one that ended last an environment that stays', async (t) => {
  const cli = await environmentCli(t)
  for (const word of ['first', 'second'])
    await cli.run('try', await seededRootfs(cli), '-q', '--', 'sh', '-c', `echo ${word} >/srv/word`)
  const kept = await cli.run('keep', 'play', '--json')
  assert.deepEqual(JSON.parse(kept.stdout), {name: 'play', from: 'try-2'})
  assert.equal((await cli.run('run', 'play', 'cat', '/srv/word', '/etc/hostname')).stdout, 'second\nplay\n')
  assert.equal((await cli.run('keep', 'other', 'try-1')).stderr, 'Kept try-1 as other.\n')
  assert.equal((await cli.run('run', 'other', 'cat', '/srv/word')).stdout, 'first\n')
  await cli.run('stop', 'play')
  await cli.run('stop', 'other')
  assert.deepEqual(await rows(cli), [
    {name: 'other', state: 'stopped'},
    {name: 'play', state: 'stopped'},
  ])
  const none = await cli.run('keep', 'third', '--json')
  assert.deepEqual([none.status, JSON.parse(none.stdout).error.code], [3, 'ENVS_NO_TRY'])
  const wrong = await cli.run('keep', 'third', 'play', '--json')
  assert.deepEqual([wrong.status, JSON.parse(wrong.stdout).error.code], [3, 'ENVS_NO_TRY'])
})

test('keep refuses a name that is taken, and the environment can be kept under another', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('create', await seededRootfs(cli), '--name', 'play')
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  const taken = await cli.run('keep', 'play', '--json')
  assert.deepEqual([taken.status, JSON.parse(taken.stdout).error.code], [4, 'ENVS_EXISTS'])
  assert.equal((await cli.run('keep', 'other')).status, 0)
})

test('keep waits for whoever looks at one that has ended, and of two at once one keeps it', async (t) => {
  const cli = await givenEnvironment(t, 'try-1', {storage: 'directory'})
  await writeFile(join(cli.store, 'try-1', 'try'), 'ended\n')
  const lock = await takeLock(join(cli.data, 'locks', '.try-1.alive.lock'), {mode: 'exclusive', waitMs: 0})
  const keeping = ['play', 'other'].map((name) => startGroup(cli, ['keep', name, '--json']))
  for (const {pid} of keeping) await waitUntil('the lock is waited for', () => isWaiting(pid))
  lock?.release()
  const ends = (await Promise.all(keeping.map(({ended}) => ended))).map(({status, stdout}) => [
    status,
    JSON.parse(stdout).error?.code,
  ])
  assert.deepEqual(ends.sort(), [
    [0, undefined],
    [3, 'ENVS_NO_TRY'],
  ])
  assert.deepEqual((await rows(cli)).length, 1)
})

test('try --keep makes one that stays, whatever comes of it', async (t) => {
  const cli = await environmentCli(t)
  const run = await cli.run('try', await seededRootfs(cli), '--keep', 'play', '-q', 'no-such-package')
  assert.equal(run.status, 125)
  assert.equal((await cli.run('run', 'play', 'cat', '/etc/hostname')).stdout, 'play\n')
  const again = await cli.run('try', await seededRootfs(cli), '--keep', 'play', '-q')
  assert.equal(again.status, 125)
  assert.equal(
    again.stderr,
    'envs: The environment "play" exists already.\n  Choose another name with --keep, or remove it first: envs rm play\n',
  )
})

test('one that ended an hour ago is gone with the next command, and a younger one is not', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  await age(cli, 'try-2', 61)
  await age(cli, 'try-1', 59)
  assert.deepEqual(await rows(cli, '--all'), [ENDED])
  await age(cli, 'try-1', 61)
  await cli.run('list')
  assert.deepEqual(await cli.storeEntries(), [])
})

test('an environment that is only called so stays', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('create', await seededRootfs(cli), '--name', 'try-1')
  assert.deepEqual(await rows(cli), [{name: 'try-1', state: 'stopped'}])
  const run = await cli.run('try', await seededRootfs(cli), '-q', '--', 'hostname')
  assert.equal(run.stdout, 'try-2\n')
  const kept = await cli.run('keep', 'play', 'try-1', '--json')
  assert.equal(JSON.parse(kept.stdout).error.code, 'ENVS_NO_TRY')
})

test('one that is under way is listed as such, can not be kept yet, and no command takes it away', async (t) => {
  const cli = await environmentCli(t)
  const {run} = await underWay(t, cli)
  await age(cli, 'try-1', 100)
  assert.deepEqual(await rows(cli), [{name: 'try-1', state: 'try'}])
  const kept = await cli.run('keep', 'play', '--json')
  assert.deepEqual([kept.status, JSON.parse(kept.stdout).error.code], [4, 'ENVS_TRY_RUNNING'])
  assert.equal((await cli.run('prune', '--yes', '--older-than', '0')).status, 0)
  assert.deepEqual(await rows(cli), [{name: 'try-1', state: 'try'}])
  run.signalLeader('SIGTERM')
  assert.equal((await run.ended).status, 143)
  assert.deepEqual(await rows(cli, '--all'), [ENDED])
})

test('killed, one on the disk is stopped by the next command, and can be kept from then on for an hour', async (t) => {
  const cli = await environmentCli(t)
  const {run} = await underWay(t, cli, '--disk')
  run.signalGroup('SIGKILL')
  await run.ended
  assert.deepEqual(await rows(cli, '--all'), [ENDED])
  assert.deepEqual(JSON.parse((await cli.run('ps', '--json')).stdout), [])
  assert.equal((await cli.run('keep', 'play')).status, 0)
  assert.equal((await cli.run('run', 'play', 'cat', '/srv/word')).stdout, 'word\n')
})

test('two at once get two environments', async (t) => {
  const cli = await environmentCli(t)
  const rootfs = await seededRootfs(cli)
  const both = [0, 1].map(() => cli.run('try', rootfs, '-q', '--', 'hostname'))
  const names = (await Promise.all(both)).map(({stdout}) => stdout).sort()
  assert.deepEqual(names, ['try-1\n', 'try-2\n'])
})

test('Ctrl-C while packages are installed takes everything back', async (t) => {
  const cli = await environmentCli(t)
  // A mirror that never answers.
  const env = {http_proxy: 'http://192.0.2.1:1'}
  const run = startGroup(cli, ['try', await seededRootfs(cli), '-q', 'hello'], env)
  await waitUntil('APT at work', async () => (await cli.run('ps')).stdout.includes('apt-get update'))
  run.signalGroup('SIGINT')
  const {status} = await run.ended
  assert.equal(status, 130)
  assert.deepEqual(await cli.storeEntries(), [])
})

/** A try whose command has begun. */
async function underWay(t: TestContext, cli: EnvironmentCli, ...flags: string[]) {
  const script = 'echo word >/srv/word; sleep 1000'
  const run = startGroup(cli, ['try', await seededRootfs(cli), ...flags, '-q', '--', 'sh', '-c', script])
  t.after(async () => {
    run.signalGroup('SIGKILL')
    await run.ended
  })
  await waitUntil('the command', async () => (await cli.run('ps')).stdout.includes('sleep 1000'))
  return {run}
}

async function age(cli: EnvironmentCli, name: string, minutes: number): Promise<void> {
  const then = new Date(Date.now() - minutes * 60_000)
  await utimes(join(cli.store, name, 'try'), then, then)
}
