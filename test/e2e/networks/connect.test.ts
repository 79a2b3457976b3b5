import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type Guest, ownGuest} from '../../support/guest.js'
import {connectFrom, startServer} from '../../support/networks.js'
import {waitUntil} from '../../support/wait-until.js'

const ECONNREFUSED = 111

/** The same environment under another name, which the caller removes. */
async function cloneOf(guest: Guest, name: string): Promise<Guest> {
  const {cli} = guest
  assert.equal((await cli.run('clone', 'play', name)).status, 0)
  return {...guest, run: (...command) => cli.run('run', name, '--', ...command)}
}

test('an environment reaches a port of another until one of them ends', async (t) => {
  const server = await ownGuest(t, 'emulated')
  const {cli} = server
  await cli.run('set', 'play', 'network=none')
  const client = await cloneOf(server, 'client')
  try {
    const refused = await cli.run('connect', 'play:80', 'client')
    assert.deepEqual(
      [refused.status, refused.stderr.split('\n')[0]],
      [4, 'envs: The environment "client" does not run with a network of its own.'],
    )
    await startServer(server, '127.0.0.1', 80, 'words')
    await startServer(client, '127.0.0.1', 90, 'own')
    assert.equal(await connectFrom(client, 'tcp', '127.0.0.1', 80), ECONNREFUSED)
    const connected = await cli.run('connect', 'play:80', 'client', '--json')
    assert.equal(connected.status, 0, connected.stderr)
    assert.deepEqual(JSON.parse(connected.stdout), {
      name: 'play',
      port: 80,
      client: 'client',
      clientPort: 80,
      isConnected: true,
    })
    const read = 'exec 3<>/dev/tcp/127.0.0.1/80; cat <&3'
    assert.equal((await client.run('bash', '-c', read)).stdout, 'words')
    const taken = await cli.run('connect', 'play:80', 'client:90')
    assert.deepEqual([taken.status, taken.stderr.split('\n')[0]], [4, 'envs: Port 90 of "client" is taken.'])
    await cli.run('connect', 'play:80', 'client', '--remove')
    assert.equal(await connectFrom(client, 'tcp', '127.0.0.1', 80), ECONNREFUSED)
    await cli.run('connect', 'play:80', 'client')
    await cli.run('stop', 'play')
    await waitUntil('the end of the port', async () => {
      return (await connectFrom(client, 'tcp', '127.0.0.1', 80)) === ECONNREFUSED
    })
  } finally {
    await cli.run('rm', '--force', '--now', 'client')
  }
})
