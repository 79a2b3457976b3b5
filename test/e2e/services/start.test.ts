import assert from 'node:assert/strict'
import {createServer} from 'node:net'
import {test} from 'node:test'
import {type Guest, ownGuest} from '../../support/guest.js'
import {startGroup} from '../../support/process-group.js'
import {waitUntil} from '../../support/wait-until.js'

/** A port of this machine that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  await new Promise((resolve) => server.close(resolve))
  return address.port
}

/** Writes a unit that starts at boot. */
async function putUnit({sh}: Guest, name: string, command: string): Promise<void> {
  const folder = '/etc/systemd/system'
  const text = `[Service]\\nExecStart=${command}\\n[Install]\\nWantedBy=multi-user.target\\n`
  const wants = `${folder}/multi-user.target.wants`
  const ran = await sh(
    `mkdir -p ${wants}; printf '%b' '${text}' >${folder}/${name}; ln -s ../${name} ${wants}/${name}`,
  )
  assert.equal(ran.status, 0, ran.stderr)
}

test('start waits for services, units and ports; restart boots again; logs shows what units print; stop of a unit boots nothing; a clone of it boots as well', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const {cli} = guest
  const port = await freePort()
  const listen = `socket S, 2, 1, 0; bind S, sockaddr_in(${port}, INADDR_LOOPBACK) or die; listen S, 1; $| = 1; print q(listening); sleep`
  await putUnit(guest, 'up.service', `/usr/bin/perl -MSocket -le "${listen.replaceAll('$', '$$$$')}"`)
  await putUnit(guest, 'broken.service', '/bin/false')
  assert.equal((await cli.run('set', 'play', 'init=services')).status, 0)
  assert.equal((await cli.run('stop', 'play')).status, 0)
  const text = await cli.run('start', 'play', '--wait', `port:${port}`)
  assert.deepEqual([text.status, text.stdout], [0, ''], text.stderr)
  assert.match(text.stderr, /failed to start: broken\.service\. To see why: envs logs play --unit broken/)
  const started = await cli.run('start', 'play', '--wait', 'up', '--json')
  assert.deepEqual(JSON.parse(started.stdout), {
    name: 'play',
    init: 'services',
    wasRunning: true,
    state: 'degraded',
    failedUnits: ['broken.service'],
  })
  for (const [condition, code] of [
    ['broken', 'ENVS_UNIT_FAILED'],
    ['nonesuch', 'ENVS_UNIT_FAILED'],
    ['port:1', 'ENVS_NOT_READY'],
  ] as const) {
    const failed = await cli.run('start', 'play', '--json', '--timeout', '2s', '--wait', condition)
    assert.deepEqual([failed.status, JSON.parse(failed.stdout).error.code], [7, code], condition)
  }
  assert.equal((await cli.run('start', 'play', '--wait', 'port:x')).status, 2)
  const again = await cli.run('restart', 'play', '--wait', `port:${port}`, '--json')
  assert.equal(again.status, 0, again.stderr)
  assert.equal(JSON.parse(again.stdout).wasRunning, true)
  const logs = await cli.run('logs', 'play', '--unit', 'up')
  assert.equal(logs.status, 0, logs.stderr)
  assert.equal(logs.stdout.match(/Z listening$/gm)?.length, 2, logs.stdout)

  assert.equal((await cli.run('clone', 'play', 'copy', '--quiet')).status, 0)
  const exported = await cli.run('export', 'play', '-o', 'play.tar', '--json')
  assert.deepEqual([exported.status, JSON.parse(exported.stdout).error.code], [4, 'ENVS_RUNNING'])
  assert.equal((await cli.run('stop', 'play')).status, 0)
  const stop = await cli.run('services', 'play', 'stop', 'up')
  assert.deepEqual([stop.status, stop.stdout, stop.stderr], [0, '', 'play was not running.\n'])
  const unknown = await cli.run('services', 'play', 'stop', 'nonesuch', '--json')
  assert.deepEqual([unknown.status, JSON.parse(unknown.stdout).error.code], [3, 'ENVS_SERVICE_NOT_FOUND'])
  assert.equal(JSON.parse((await cli.run('show', 'play', '--json')).stdout).state, 'stopped')

  const copied = await cli.run('start', 'copy', '--wait', `port:${port}`, '--json')
  assert.deepEqual([copied.status, JSON.parse(copied.stdout).wasRunning], [0, false], copied.stdout)
  assert.equal((await cli.run('rm', '--force', '--now', 'copy')).status, 0)
})

test('Ctrl-C while start waits is told as such, and the environment continues', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const {cli} = guest
  assert.equal((await cli.run('set', 'play', 'init=services')).status, 0)
  const waiting = startGroup(cli, ['start', 'play', '--wait', 'port:1'])
  await waitUntil('start to ask for the port', async () =>
    (await cli.run('ps', 'play')).stdout.includes('/proc/net/'),
  )
  waiting.signalGroup('SIGINT')
  const {status, stderr} = await waiting.ended
  assert.deepEqual([status, stderr], [130, 'envs: Interrupted by SIGINT.\n'])
  assert.equal(JSON.parse((await cli.run('show', 'play', '--json')).stdout).state, 'running')
})

test('logs says so where nothing was logged', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const {cli} = guest
  assert.equal((await cli.run('set', 'play', 'init=services')).status, 0)
  assert.equal((await cli.run('start', 'play')).status, 0)
  const {status, stdout, stderr} = await cli.run('logs', 'play', '--unit', 'nonesuch')
  assert.deepEqual([status, stdout, stderr], [0, '', 'envs: Nothing was logged.\n'])
})
