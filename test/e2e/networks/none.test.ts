import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {before, test} from 'node:test'
import {takeLock} from '../../../src/host/locks.js'
import {readLiveAnchor, recordedEngine} from '../../../src/sandbox/anchor-state.js'
import {WITHOUT_NODE} from '../../support/front-door.js'
import {type Guest, IDENTITIES, ownGuest, sharedGuest, withVariables} from '../../support/guest.js'
import {connectFrom, hostListener, readFrom, startServer} from '../../support/networks.js'
import {waitUntil} from '../../support/wait-until.js'

const [ECONNREFUSED, ENETUNREACH] = [111, 101]

/** A port of the host that was free a moment ago. */
async function freePort(): Promise<number> {
  const tidyUps: (() => Promise<void>)[] = []
  const port = await hostListener({after: (tidyUp) => void tidyUps.push(tidyUp)}, {host: '127.0.0.1'})
  for (const tidyUp of tidyUps) await tidyUp()
  return port
}

async function envs({cli}: Guest, ...argv: string[]): Promise<string> {
  const {status, stdout, stderr} = await cli.run(...argv)
  assert.deepEqual([status, stderr], [0, stderr])
  return stdout + stderr
}

/** The process of a publication; it holds the lock whose file names it. */
async function publisherOf({state}: Guest, port: number): Promise<number | undefined> {
  const path = join(state, 'network', `publish-127.0.0.1-${port}.lock`)
  const lock = await takeLock(path, {mode: 'shared', waitMs: 0})
  lock?.release()
  return lock === undefined ? Number(readFileSync(path, 'utf8')) : undefined
}

for (const {identity, skip} of IDENTITIES) {
  const given = sharedGuest(identity)
  const title = `${identity}, network none`

  before(async () => {
    if (skip === false) await envs(await given(), 'set', 'play', 'network=none')
  })

  for (const engine of ['bwrap', 'unshare'] as const)
    test(`${title}: ${engine} gives a loopback alone, the first ports, and ping`, {skip}, async (t) => {
      const guest = withVariables(await given(), {ENVS_ENGINE: engine})
      const port = await hostListener(t, {host: '127.0.0.1'})
      t.after(() => envs(guest, 'stop', 'play').then(() => {}))
      const interfaces = await guest.run('sed', '-n', 's/^ *\\([^ :]*\\):.*/\\1/p', '/proc/net/dev')
      assert.equal(interfaces.stdout, 'lo\n')
      assert.equal(recordedEngine(guest.state), engine)
      assert.equal(await connectFrom(guest, 'tcp', '127.0.0.1', port), ECONNREFUSED)
      assert.equal(await connectFrom(guest, 'udp', '192.0.2.1', 53), ENETUNREACH)
      await startServer(guest, '127.0.0.1', 80, 'inside')
      assert.equal(await connectFrom(guest, 'tcp', '127.0.0.1', 80), 0)
      // A socket for ping(8), of the protocol ICMP.
      const ping = await guest.run('perl', '-e', 'socket(my $s, 2, 2, 1) or die "$!\\n"')
      assert.deepEqual([ping.status, ping.stderr], [0, ''])
      assert.equal((await guest.run('cat', '/etc/resolv.conf')).stdout.includes('nameserver'), false)
      assert.equal((await guest.run('ls', '/sys/class/net')).stdout, '')
    })

  test(`${title}: ports are published at a start, while it runs, and taken back`, {skip}, async (t) => {
    const guest = await given()
    const [first, second] = [await freePort(), await freePort()]
    t.after(async () => {
      await guest.cli.run('publish', 'play', `${first}:80`, '--remove')
      await envs(guest, 'stop', 'play')
    })
    await envs(guest, 'publish', 'play', `${first}:80`)
    assert.equal(await readFrom(first), 'ECONNREFUSED')
    await startServer(guest, '127.0.0.1', 80, 'four')
    await startServer(guest, '::1', 81, 'six')
    assert.equal(await readFrom(first), 'four')
    await envs(guest, 'publish', 'play', `${second}:81`)
    assert.equal(await readFrom(second), 'six')
    const ports = JSON.parse(await envs(guest, 'ports', 'play', '--json'))
    assert.equal(ports.network, 'none')
    assert.deepEqual(
      ports.listening.map(({port, address, command}: Record<string, unknown>) => [
        port,
        address,
        String(command).split(' ')[0],
      ]),
      [
        [80, '127.0.0.1', 'perl'],
        [81, '::1', 'perl'],
      ],
    )
    assert.deepEqual(ports.published, [
      {address: '127.0.0.1', port: first, guestPort: 80, isActive: true, isAnswered: true},
      {address: '127.0.0.1', port: second, guestPort: 81, isActive: true, isAnswered: true},
    ])
    await envs(guest, 'publish', 'play', `${second}:81`, '--remove')
    assert.equal(await readFrom(second), 'ECONNREFUSED')
    // Connections do not disturb each other.
    const answers = await Promise.all(Array.from({length: 20}, () => readFrom(first)))
    assert.deepEqual(new Set(answers), new Set(['four']))
  })

  test(`${title}: a session starts a publisher again that was killed, and needs no Node where none was`, {
    skip,
  }, async (t) => {
    const guest = await given()
    const port = await freePort()
    t.after(async () => {
      await guest.cli.run('publish', 'play', `${port}:80`, '--remove')
    })
    await envs(guest, 'publish', 'play', `${port}:80`)
    await startServer(guest, '127.0.0.1', 80, 'words')
    const publisher = await publisherOf(guest, port)
    assert.ok(publisher)
    process.kill(publisher, 'SIGKILL')
    await waitUntil('the end of the publisher', async () => (await publisherOf(guest, port)) === undefined)
    assert.equal(await readFrom(port), 'ECONNREFUSED')
    assert.equal((await guest.run('true')).status, 0)
    assert.equal(await readFrom(port), 'words')
    assert.equal((await guest.runWith({env: WITHOUT_NODE}, '/bin/true')).status, 0)
    await envs(guest, 'stop', 'play')
    await waitUntil('the end of the publisher', async () => (await publisherOf(guest, port)) === undefined)
    assert.equal(readLiveAnchor(guest.state), undefined)
  })

  test(`${title}: a port that is not to be had is named, with its owner and the ways out`, {
    skip,
  }, async (t) => {
    const guest = await given()
    const taken = await hostListener(t, {host: '127.0.0.1'})
    const port = await freePort()
    t.after(async () => {
      await guest.cli.run('publish', 'play', `${port}:80`, '--remove')
      await envs(guest, 'stop', 'play')
    })
    await envs(guest, 'publish', 'play', `${port}:80`)
    await startServer(guest, '127.0.0.1', 80, 'words')
    const refusal = async (publication: string) => {
      const {status, stderr} = await guest.cli.run('publish', 'play', publication)
      return [status, stderr.split('\n')[0]]
    }
    assert.deepEqual(await refusal(`${taken}:80`), [
      4,
      `envs: Could not publish port ${taken} of 127.0.0.1: another program listens on it.`,
    ])
    assert.deepEqual(await refusal(`0.0.0.0:${port}:81`), [
      4,
      `envs: Could not publish port ${port} of 0.0.0.0: the environment "play" listens on it.`,
    ])
    assert.deepEqual(await refusal(`192.0.2.77:${port}:81`), [
      3,
      `envs: Could not publish port ${port} of 192.0.2.77: this host has no such address.`,
    ])
    assert.match(
      (await guest.cli.run('publish', 'play', '1:80')).stderr,
      /ports below \d+ are for the host's root alone\.\n {2}Publish another .*8001:80\n {2}Or ask the administrator/,
    )
    const {publish} = JSON.parse(await envs(guest, 'show', 'play', '--json'))
    assert.deepEqual(publish, [`127.0.0.1:${port}:80`])
  })
}

test('an environment does not start with a port that is taken, and starts without it', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const port = await hostListener(t, {host: '127.0.0.1'})
  await envs(guest, 'set', 'play', 'network=none')
  await envs(guest, 'publish', 'play', `${port}:80`)
  const {status, stderr} = await guest.run('true')
  assert.deepEqual(
    [status, stderr],
    [
      125,
      `envs: Could not publish port ${port} of 127.0.0.1: another program listens on it.
  Publish another port of the host: envs publish play 127.0.0.1:${port + 8000 > 65535 ? port - 1 : port + 8000}:80
  Or take the publication back: envs publish play --remove 127.0.0.1:${port}:80
`,
    ],
  )
  // A clone does not take the port with it.
  await envs(guest, 'clone', 'play', 'copy')
  const copy = JSON.parse(await envs(guest, 'show', 'copy', '--json'))
  await envs(guest, 'rm', '--force', '--now', 'copy')
  assert.deepEqual([copy.network, copy.publish], ['none', []])
  await envs(guest, 'publish', 'play', `${port}:80`, '--remove')
  assert.equal((await guest.run('true')).status, 0)
  // What runs keeps its network until its next start.
  const changed = JSON.parse(await envs(guest, 'set', 'play', 'network=host', '--json'))
  assert.deepEqual([changed.isRunning, changed.settings.network], [true, 'host'])
  assert.equal(await connectFrom(guest, 'tcp', '127.0.0.1', port), ECONNREFUSED)
  await envs(guest, 'stop', 'play')
  assert.equal(await connectFrom(guest, 'tcp', '127.0.0.1', port), 0)
  assert.deepEqual((await guest.cli.run('publish', 'play', `${port}:80`)).status, 2)
})
