import assert from 'node:assert/strict'
import {test} from 'node:test'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {type Guest, IDENTITIES, ownGuest} from '../../support/guest.js'
import {connectFrom, startServer, whyNoOutlet} from '../../support/networks.js'

const [ENETUNREACH, EHOSTUNREACH] = [101, 113]

async function envs({cli}: Guest, ...argv: string[]): Promise<string> {
  const {status, stdout, stderr} = await cli.run(...argv)
  assert.equal(status, 0, stderr)
  return stdout
}

/** Creates a second environment in the store of the first. */
async function another(guest: Guest, identity: string, ...flags: string[]): Promise<Guest> {
  const {cli} = guest
  await envs(guest, 'create', await debianRootfs(), '--name', 'client', '--identity', identity, ...flags)
  return {...guest, run: (...command) => cli.run('run', 'client', '--', ...command)}
}

/** Returns what the server of another environment answers, by its name. */
async function readByName(guest: Guest, name: string): Promise<string> {
  return (await guest.run('bash', '-c', `exec 3<>/dev/tcp/${name}/80; cat <&3`)).stdout
}

for (const {identity, skip} of IDENTITIES)
  test(`two environments, emulated and ${identity}, reach each other by name on a common network`, {
    skip,
  }, async (t) => {
    const server = await ownGuest(t, 'emulated')
    const {cli} = server
    const missing = await cli.run('set', 'play', 'network=none', 'join=shop')
    assert.deepEqual(
      [missing.status, missing.stderr.split('\n')[0]],
      [3, 'envs: There is no network "shop".'],
    )
    const made = JSON.parse(await envs(server, 'network', 'create', 'shop', '--json'))
    assert.match(made.subnet, /^10\.2\d\d\.\d+\.0\/24$/)
    const lone = await cli.run('set', 'play', 'join=shop')
    assert.equal(lone.status, 2, 'a common network needs a network of its own')
    await envs(server, 'set', 'play', 'network=none', 'join=shop')
    const client = await another(server, identity, '--network', 'none', '--join', 'shop')
    try {
      await startServer(server, '0.0.0.0', 80, 'words')
      await client.run('sh', '-c', 'echo 192.0.2.9 mine >>/etc/hosts')
      await startServer(client, '0.0.0.0', 80, 'other words')
      assert.equal(await readByName(client, 'play'), 'words')
      assert.equal(await readByName(server, 'client'), 'other words')
      const [listed] = JSON.parse(await envs(server, 'network', 'list', '--json'))
      assert.deepEqual(
        listed.environments.map(({name, isConnected}: {name: string; isConnected: boolean}) => [
          name,
          isConnected,
        ]),
        [
          ['client', true],
          ['play', true],
        ],
      )
      const address = listed.environments[1].address
      await envs(server, 'stop', 'play')
      assert.equal(await connectFrom(client, 'tcp', address, 80), EHOSTUNREACH)
      // The interface of the former one may still be there.
      await startServer(server, '0.0.0.0', 80, 'new words')
      assert.equal(await readByName(client, 'play'), 'new words')
      const used = await cli.run('network', 'rm', 'shop')
      assert.deepEqual(
        [used.status, used.stderr.split('\n')[0]],
        [4, 'envs: The network "shop" is in use by client, play.'],
      )
      await envs(server, 'stop', 'client')
      await envs(server, 'set', 'client', 'join=', 'network=host')
      const hosts = (await client.run('cat', '/etc/hosts')).stdout
      assert.match(hosts, /^192\.0\.2\.9 mine$/m)
      assert.doesNotMatch(hosts, /play|common networks/)
      await envs(server, 'set', 'play', 'join=')
      await envs(server, 'network', 'rm', 'shop')
      assert.equal(await envs(server, 'network', 'list', '--quiet'), '')
    } finally {
      await cli.run('rm', '--force', '--now', 'client')
    }
  })

test('each environment on a common network keeps its own way out, and its list of networks', {
  skip: whyNoOutlet('pasta'),
}, async (t) => {
  const server = await ownGuest(t, 'emulated')
  const {cli} = server
  await envs(server, 'network', 'create', 'shop')
  await envs(server, 'set', 'play', 'network=private', 'allow=198.51.100.0/24', 'join=shop')
  const client = await another(server, 'emulated', '--network', 'none', '--join', 'shop')
  try {
    await startServer(client, '0.0.0.0', 80, 'words')
    assert.equal(await readByName(server, 'client'), 'words')
    assert.equal(await connectFrom(server, 'udp', '198.51.100.1', 9), 0)
    assert.equal(await connectFrom(server, 'udp', '192.0.2.1', 9), ENETUNREACH)
    assert.equal(await connectFrom(client, 'udp', '198.51.100.1', 9), ENETUNREACH)
  } finally {
    await cli.run('rm', '--force', '--now', 'client')
  }
})
