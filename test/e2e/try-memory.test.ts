import assert from 'node:assert/strict'
import {mkdir, readdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {processStartTime} from '../../src/host/machine/proc.js'
import {type EnvironmentCli, environmentCli, whyNotMapped} from '../support/environment-cli.js'
import {startGroup} from '../support/process-group.js'
import {seededRootfs} from '../support/seeded-image.js'
import {layeredTest} from '../support/stacked-layers.js'
import {waitUntil} from '../support/wait-until.js'

const WRITE = 'echo word >/srv/word; chown 3:4 /srv/word; mkdir -m 0 /srv/closed'
const LOOK = 'stat -c "%n %u:%g %a" /srv/word /srv/closed; cat /srv/word'

const noMapped = await whyNotMapped()

for (const [identity, skip, owner] of [
  ['emulated', false, '0:0'],
  ['mapped', noMapped ?? false, '3:4'],
] as const) {
  layeredTest(
    `${identity}: what a try writes is in memory, and is on the disk when it is kept`,
    {skip},
    async (t) => {
      const cli = await environmentCli(t, {ENVS_IDENTITY: identity})
      const run = await cli.run('try', await seededRootfs(cli), '-q', '--', 'sh', '-c', WRITE)
      assert.deepEqual([run.status, run.stderr], [0, ''])
      const holder = await holderOf(cli, 'try-1')
      assert.deepEqual(await namesInLayers(cli, 'word'), [])
      assert.equal((await cli.run('keep', 'play')).status, 0)
      assert.equal(processStartTime(holder), undefined)
      assert.doesNotMatch(await pathOf(cli, 'play'), /^\/proc\//)
      const look = await cli.run('run', 'play', '--', 'sh', '-c', LOOK)
      assert.equal(look.stdout, `/srv/word ${owner} 644\n/srv/closed 0:0 0\nword\n`)
    },
  )
}

layeredTest('one in memory can be entered, looked at and gone back in before it is kept', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'sh', '-c', WRITE)
  assert.equal(
    (await cli.run('run', 'try-1', '--', 'sh', '-c', 'cat /srv/word; echo more >/srv/more')).stdout,
    'word\n',
  )
  const {stdout} = await cli.run('diff', 'try-1')
  assert.match(stdout, /added +\/srv\/more\n(?:.*\n)*? *added +\/srv\/word\n/)
  await cli.run('stop', 'try-1')
  const undone = await cli.run('undo', 'try-1', '--json')
  assert.equal(JSON.parse(undone.stdout).label, 'initial')
  assert.equal((await cli.run('run', 'try-1', 'ls', '/srv')).stdout, '')
})

layeredTest('a snapshot of one that runs in memory holds what it has written', async (t) => {
  const cli = await environmentCli(t)
  // The image's layer is there then: what is waited for takes no time.
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  const run = startGroup(cli, [
    'try',
    await seededRootfs(cli),
    '-q',
    '--',
    'sh',
    '-c',
    `${WRITE}; sleep 1000`,
  ])
  t.after(async () => {
    run.signalGroup('SIGKILL')
    await run.ended
  })
  await waitUntil('the command', async () => (await cli.run('ps')).stdout.includes('sleep 1000'))
  await holderOf(cli, 'try-2')
  assert.equal((await cli.run('snapshot', 'try-2', 'now')).status, 0)
  assert.equal((await namesInLayers(cli, 'word')).length, 1)
})

layeredTest('memory that is full is told of, with what to do, and bounds what a try can write', async (t) => {
  const cli = await environmentCli(t, {ENVS_TRY_MEMORY: '10M'})
  const script = 'dd if=/dev/zero of=/root/big bs=1M count=20 2>/dev/null; stat -c %s /root/big; exit 7'
  const run = await cli.run('try', await seededRootfs(cli), '-q', '--', 'sh', '-c', script)
  assert.equal(run.status, 7)
  // Whole pages.
  assert.ok(Number(run.stdout) <= 10_100_000)
  assert.equal(
    run.stderr,
    'envs: warning: The memory of the environment (10 MB) is full. To write to the disk: envs try --disk\n',
  )
})

layeredTest('with --disk, or a setting of nothing, a try writes to the disk', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('try', await seededRootfs(cli), '--disk', '-q', '--', 'true')
  assert.doesNotMatch(await pathOf(cli, 'try-1'), /^\/proc\//)
  await cli.run('config', 'set', 'tryMemory', '0M')
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  assert.doesNotMatch(await pathOf(cli, 'try-2'), /^\/proc\//)
})

layeredTest('where no memory can be mounted a try writes to the disk, and says nothing of it', async (t) => {
  const cli = await environmentCli(t)
  const programs = join(cli.home, 'programs')
  await mkdir(programs)
  await writeFile(join(programs, 'nsenter'), '#!/bin/sh\nexit 1\n', {mode: 0o755})
  const poorer = {...cli.env, PATH: `${programs}:${process.env['PATH']}`}
  const run = startGroup(cli, ['try', await seededRootfs(cli), '-q', '--', 'true'], poorer)
  assert.equal((await run.ended).status, 0)
  assert.doesNotMatch(await pathOf(cli, 'try-1'), /^\/proc\//)
})

layeredTest('one whose memory is gone can not be entered, and goes with the next command', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  process.kill(await holderOf(cli, 'try-1'), 'SIGKILL')
  await cli.run('stop', 'try-1')
  const run = await cli.run('run', 'try-1', 'true')
  assert.equal(run.status, 125)
  assert.match(run.stderr, /^envs: The files of the environment "try-1" were in memory, and are lost\.\n/)
  const kept = await cli.run('keep', 'play', '--json')
  assert.deepEqual([kept.status, JSON.parse(kept.stdout).error.code], [3, 'ENVS_NO_TRY'])
  assert.deepEqual(await cli.storeEntries(), [])
})

layeredTest('killed before its command begins, it leaves no process and no memory', async (t) => {
  const cli = await environmentCli(t)
  // A mirror that never answers.
  const env = {http_proxy: 'http://192.0.2.1:1'}
  const run = startGroup(cli, ['try', await seededRootfs(cli), '-q', 'hello'], env)
  await waitUntil('APT at work', async () => (await cli.run('ps')).stdout.includes('apt-get update'))
  const holder = await holderOf(cli, 'try-1')
  run.signalLeader('SIGKILL')
  await run.ended
  await waitUntil('the end of its holder', () => processStartTime(holder) === undefined)
  assert.equal((await cli.run('list', '--all', '--json')).stdout.trim(), '[]')
  assert.deepEqual(JSON.parse((await cli.run('ps', '--json')).stdout), [])
  assert.deepEqual(await cli.storeEntries(), [])
})

layeredTest('killed while its command runs, it leaves no process and no memory', async (t) => {
  const cli = await environmentCli(t)
  // The image's layer is there then: what is waited for takes no time.
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  await cli.run('rm', '--force', 'try-1')
  const script = `${WRITE}; sleep 1000`
  const run = startGroup(cli, ['try', await seededRootfs(cli), '-q', '--', 'sh', '-c', script])
  await waitUntil('the command', async () => (await cli.run('ps')).stdout.includes('sleep 1000'))
  const holder = await holderOf(cli, 'try-1')
  run.signalLeader('SIGKILL')
  await run.ended
  await waitUntil('the end of its holder', () => processStartTime(holder) === undefined)
  const kept = await cli.run('keep', 'play', '--json')
  assert.deepEqual([kept.status, JSON.parse(kept.stdout).error.code], [3, 'ENVS_NO_TRY'])
  assert.deepEqual(JSON.parse((await cli.run('ps', '--json')).stdout), [])
  assert.deepEqual(await cli.storeEntries(), [])
})

layeredTest('removed, it gives its memory back', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('try', await seededRootfs(cli), '-q', '--', 'true')
  const holder = await holderOf(cli, 'try-1')
  assert.equal((await cli.run('rm', '--force', 'try-1')).status, 0)
  assert.equal(processStartTime(holder), undefined)
})

async function pathOf(cli: EnvironmentCli, name: string): Promise<string> {
  return JSON.parse((await cli.run('path', name, '--json')).stdout).path
}

/** The process that holds its memory. */
async function holderOf(cli: EnvironmentCli, name: string): Promise<number> {
  const path = await pathOf(cli, name)
  const pid = /^\/proc\/(\d+)\/root\//.exec(path)?.[1]
  assert.ok(pid !== undefined, `${path} is not in memory`)
  return Number(pid)
}

/** Where files of that name lie among the layers on the disk, as far as this user may look. */
async function namesInLayers(cli: EnvironmentCli, name: string): Promise<string[]> {
  const layers = join(cli.data, 'layers')
  const found: string[] = []
  for (const layer of await readdir(layers)) {
    const names: string[] = await readdir(join(layers, layer, 'tree', 'srv')).catch(() => [])
    if (names.includes(name)) found.push(layer)
  }
  return found
}
