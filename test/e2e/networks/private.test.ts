import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {before, test} from 'node:test'
import {unlessErrno} from '../../../src/host/errno.js'
import {processStartTime} from '../../../src/host/machine/proc.js'
import {recordedNetwork} from '../../../src/sandbox/anchor-state.js'
import {OUTLETS} from '../../../src/sandbox/network/outlet.js'
import {type Guest, IDENTITIES, sharedGuest, withVariables} from '../../support/guest.js'
import {connectFrom, hostAddresses, hostListener, startServer, whyNoOutlet} from '../../support/networks.js'
import {waitUntil} from '../../support/wait-until.js'

const ENETUNREACH = 101

async function envs({cli}: Guest, ...argv: string[]): Promise<string> {
  const {status, stdout, stderr} = await cli.run(...argv)
  assert.deepEqual([status, stderr], [0, stderr])
  return stdout
}

/** The program that leads out, while it runs. */
function toolOf({state}: Guest): number | undefined {
  const text = unlessErrno(() => readFileSync(join(state, 'network', 'tool'), 'utf8')) ?? ''
  const [pid, startTime] = text.trim().split(' ')
  return processStartTime(Number(pid)) === startTime ? Number(pid) : undefined
}

for (const {identity, skip: noIdentity} of IDENTITIES)
  for (const tool of OUTLETS) {
    const skip = noIdentity === false ? whyNoOutlet(tool) : noIdentity
    const made = sharedGuest(identity)
    const given = async () => withVariables(await made(), {ENVS_NETWORK_TOOL: tool})
    const title = `${identity}, private by ${tool}`
    before(async () => {
      if (skip === false) await envs(await given(), 'set', 'play', 'network=private')
    })

    test(`${title}: it leads out, and to no address of the host`, {skip}, async (t) => {
      const guest = await given()
      assert.equal((await guest.run('true')).stderr, '')
      assert.equal(recordedNetwork(guest.state), tool)
      // Documentation addresses: a datagram socket asks for the route alone.
      assert.equal(await connectFrom(guest, 'udp', '198.51.100.1', 9), 0)
      const port = await hostListener(t, {host: '0.0.0.0'})
      for (const address of ['127.0.0.1', ...hostAddresses().filter((each) => !each.includes(':'))])
        assert.notEqual(await connectFrom(guest, 'tcp', address, port), 0, address)
      const port6 = await hostListener(t, {host: '::'})
      for (const address of ['::1', ...hostAddresses().filter((each) => each.includes(':'))])
        assert.notEqual(await connectFrom(guest, 'tcp', address, port6), 0, address)
      assert.match(
        (await guest.run('cat', '/etc/resolv.conf')).stdout,
        /^nameserver (?:169\.254\.1\.1|10\.0\.2\.3)$/m,
      )
    })

    test(`${title}: a session starts it again when it was killed; it ends with the environment`, {
      skip,
    }, async () => {
      const guest = await given()
      await startServer(guest, '127.0.0.1', 80, 'stays')
      const former = toolOf(guest)
      assert.ok(former)
      process.kill(former, 'SIGKILL')
      await waitUntil('the end of the program', () => toolOf(guest) === undefined)
      // Two at once: one of them starts it.
      const sessions = await Promise.all([guest.run('true'), guest.run('true')])
      assert.deepEqual(
        sessions.map(({status, stderr}) => [status, stderr]),
        [
          [0, ''],
          [0, ''],
        ],
      )
      const present = await waitUntil('another one', () => toolOf(guest))
      assert.notEqual(present, former)
      assert.equal(await connectFrom(guest, 'udp', '198.51.100.1', 9), 0)
      await envs(guest, 'stop', 'play')
      await waitUntil('the end of the program', () => toolOf(guest) === undefined)
    })

    test(`${title}: a list of networks leaves no way to another`, {skip}, async (t) => {
      const guest = await given()
      await envs(guest, 'set', 'play', 'allow=198.51.100.0/24,203.0.113.7')
      t.after(async () => {
        await envs(guest, 'stop', 'play')
        await envs(guest, 'set', 'play', 'allow=')
      })
      const errnos = []
      for (const address of ['198.51.100.1', '203.0.113.7', '203.0.113.8', '192.0.2.1', '2001:db8::1'])
        errnos.push(await connectFrom(guest, 'udp', address, 9))
      assert.deepEqual(errnos, [0, 0, ENETUNREACH, ENETUNREACH, ENETUNREACH])
    })
  }
