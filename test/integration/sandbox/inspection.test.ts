import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {createServer} from 'node:net'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {processStartTime} from '../../../src/host/machine/proc.js'
import {requirePerl, scriptWords, started} from '../../../src/host/process.js'
import {inspectProcesses} from '../../../src/sandbox/inspection.js'
import {listeningSockets, portsOfProcess} from '../../../src/sandbox/listening-ports.js'

const host = openHost()
const inspector = {
  launcher: scriptWords(requirePerl(host), 'inspect'),
  architecture: host.architecture,
}
const anchorOf = (pid: number) => ({pid, startTime: processStartTime(pid) ?? ''})

test('a process of this user has its ports and its variable; one that has ended has none', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const child = spawn('sleep', ['60'], {env: {MARK: 'own@1.service'}, stdio: 'ignore'})
  t.after(() => child.kill())
  await started(child)
  const ended = spawn('true', {stdio: 'ignore'})
  await new Promise((resolve) => ended.once('exit', resolve))
  const pids = [process.pid, child.pid ?? 0, ended.pid ?? 0]
  const facts = await inspectProcesses(pids, {variable: 'MARK', by: undefined})
  const sockets = listeningSockets(process.pid)
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  assert.deepEqual(
    portsOfProcess(process.pid, {facts, sockets}).map(({port}) => port),
    [address.port],
  )
  assert.equal(facts.get(child.pid ?? 0)?.variable, 'own@1.service')
  assert.deepEqual(facts.get(ended.pid ?? 0), {sockets: [], variable: undefined})
})

// The host's root may read every process.
if (host.uid !== 0)
  test('a process of another user has no facts without the program, and where that one can not join', async () => {
    for (const by of [undefined, {inspector, anchor: anchorOf(1)}])
      assert.deepEqual([...(await inspectProcesses([1], {variable: 'MARK', by}))], [])
  })
