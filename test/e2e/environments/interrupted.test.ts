import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {takeLock} from '../../../src/host/locks.js'
import {FRONT_DOOR} from '../../support/cli.js'
import {type EnvironmentCli, plainCli} from '../../support/environment-cli.js'
import {startServer} from '../../support/http-server.js'
import {type GroupRun, isWaiting, startGroup} from '../../support/process-group.js'
import {runInTerminal} from '../../support/terminal.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

for (const [what, send] of [
  ['envs alone', (run: GroupRun) => run.signalLeader('SIGINT')],
  ['all of its group, as Ctrl-C is', (run: GroupRun) => run.signalGroup('SIGINT')],
] as const) {
  test(`create, interrupted while it extracts, takes everything back: sent to ${what}`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t, {files: 3000})
    const run = startGroup(cli, ['create', path, '--quiet'])
    await untilExtracting(cli)
    send(run)
    const {status, stdout, stderr} = await run.ended
    assert.deepEqual([status, stdout, stderr], [130, '', 'envs: Interrupted by SIGINT.\n'])
    assert.deepEqual(await cli.storeEntries(), [])
  })
}

test('create takes everything back on Ctrl-C at a terminal', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 3000})
  const {status, screen} = await runInTerminal(`${FRONT_DOOR} create ${path}`, {
    env: {...cli.env, CI: ''},
    typed: [{after: 'members', send: '\x03'}],
  })
  assert.equal(status, 130)
  assert.match(screen, /envs: Interrupted by SIGINT\.\r\n/)
  assert.deepEqual(await cli.storeEntries(), [])
})

test('create, interrupted, tells of it as JSON', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t, {files: 3000})
  const run = startGroup(cli, ['create', path, '--json'])
  await untilExtracting(cli)
  run.signalGroup('SIGINT')
  const {status, stdout, stderr} = await run.ended
  assert.deepEqual([status, stderr], [130, ''])
  assert.deepEqual(JSON.parse(stdout), {
    error: {code: 'ENVS_INTERRUPTED', message: 'Interrupted by SIGINT.', suggestions: []},
  })
})

for (const [signal, status] of [
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`create takes everything back on ${signal}`, async (t) => {
    const cli = await plainCli(t)
    const {path} = await tinyRootfs(t, {files: 3000})
    const run = startGroup(cli, ['create', path, '--quiet'])
    await untilExtracting(cli)
    run.signalLeader(signal)
    assert.equal((await run.ended).status, status)
    assert.deepEqual(await cli.storeEntries(), [])
  })
}

test('create, interrupted while it downloads, ends at once', async (t) => {
  const cli = await plainCli(t)
  const stalled = await stalledServer(t)
  const run = startGroup(cli, ['create', `${stalled.url}web.tar.gz`, '--quiet'])
  await stalled.reached
  // The server goes on to say nothing, and envs would wait for it longer than this test may take.
  run.signalGroup('SIGINT')
  assert.equal((await run.ended).status, 130)
  assert.deepEqual(await cli.storeEntries(), [])
})

test('create, interrupted while it waits for a lock, says nothing of a bug', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--name', 'other')
  const lock = await takeLock(join(cli.data, 'locks/tiny.lock'), {mode: 'exclusive', waitMs: 0})
  const run = startGroup(cli, ['create', path, '--quiet'])
  await waitUntil('the lock is waited for', () => isWaiting(run.pid))
  run.signalGroup('SIGINT')
  const {status, stderr} = await run.ended
  lock?.release()
  assert.deepEqual([status, stderr], [130, 'envs: Interrupted by SIGINT.\n'])
})

async function untilExtracting(cli: EnvironmentCli): Promise<void> {
  const isExtracting = async () => {
    const [partial] = (await cli.storeEntries()).filter((name) => name.startsWith('.partial.'))
    if (partial === undefined) return false
    return (await readdir(join(cli.store, partial, 'rootfs')).catch(() => [])).length > 0
  }
  await waitUntil('something is extracted', isExtracting)
}

/** A server that sends the beginning of a body, and then nothing. */
async function stalledServer(t: TestContext): Promise<{url: string; reached: Promise<void>}> {
  let tell = () => {}
  const reached = new Promise<void>((resolve) => {
    tell = resolve
  })
  const server = await startServer(t, (_, response) => {
    response.writeHead(200, {'content-length': 1_000_000})
    response.write('beginning', () => tell())
  })
  return {url: server.origin.href, reached}
}
