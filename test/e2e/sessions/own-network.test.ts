import assert from 'node:assert/strict'
import {once} from 'node:events'
import {closeSync, constants, openSync} from 'node:fs'
import {type AddressInfo, createServer} from 'node:net'
import {type TestContext, test} from 'node:test'
import {planAnchor} from '../../../src/environments/session/plan.js'
import {openHost} from '../../../src/host/host.js'
import {takeLock} from '../../../src/host/locks.js'
import {openPaths} from '../../../src/host/paths.js'
import {startAnchor} from '../../../src/sandbox/anchor.js'
import {anchorFiles} from '../../../src/sandbox/anchor-state.js'
import type {AnchorEngineName} from '../../../src/sandbox/engines/engine.js'
import {findEnvironment} from '../../../src/store/environments.js'
import {readGuestTree} from '../../../src/store/mounted-tree.js'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'

const WISH = {
  command: [],
  user: undefined,
  workingFolder: undefined,
  variables: [],
  volumes: [],
  durable: 'auto',
} as const

/** Prints the errno of a connection, 0 for one that is made. */
const CONNECT = `use Socket; socket(my $s, PF_INET, SOCK_STREAM, 0);
print connect($s, pack_sockaddr_in(shift, INADDR_LOOPBACK)) ? 0 : $! + 0`
const ECONNREFUSED = 111

/** Starts an environment with a network of its own, as a feature of the sandbox can ask for. It stays until the test is over. */
async function startWithOwnNetwork(t: TestContext, {cli}: Guest, engine: AnchorEngineName): Promise<void> {
  // Lays what a start needs.
  assert.equal((await cli.run('run', 'play', 'true')).status, 0)
  await cli.run('stop', 'play')
  const host = {...openHost(), environment: cli.env, paths: openPaths(cli.env, cli.home)}
  const environment = await findEnvironment(host.paths, 'play')
  const state = {tree: await readGuestTree(environment), isPreview: false}
  const plan = await planAnchor({host, environment, wish: WISH}, engine, state)
  const liveness = await takeLock(anchorFiles(plan.runFolder).liveness, {mode: 'exclusive', waitMs: 5000})
  assert.ok(liveness)
  try {
    await startAnchor({...plan, spec: {...plan.spec, network: 'own'}}, liveness)
    // As a session does: else it ends before the first one, on a busy machine.
    const hold = openSync(anchorFiles(plan.runFolder).hold, constants.O_RDWR)
    t.after(async () => {
      closeSync(hold)
      await cli.run('stop', 'play')
    })
  } finally {
    liveness.release()
  }
}

async function hostListener(t: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity, {isPlain: true})

  for (const engine of ['bwrap', 'unshare'] as const) {
    test(`${identity}: with ${engine}, sessions join a network that the sandbox has of its own`, {
      skip,
    }, async (t) => {
      const guest = await play()
      const port = String(await hostListener(t))
      assert.equal((await guest.run('perl', '-e', CONNECT, port)).stdout, '0')
      await startWithOwnNetwork(t, guest, engine)
      const interfaces = await guest.run('sed', '-n', 's/^ *\\([^ :]*\\):.*/\\1/p', '/proc/net/dev')
      assert.deepEqual([interfaces.stdout, interfaces.stderr], ['lo\n', ''])
      // The loopback is up, and another than the host's.
      assert.equal((await guest.run('perl', '-e', CONNECT, port)).stdout, String(ECONNREFUSED))
    })
  }
}
