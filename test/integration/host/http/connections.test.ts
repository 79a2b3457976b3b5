import assert from 'node:assert/strict'
import {once} from 'node:events'
import type {Socket} from 'node:net'
import {test} from 'node:test'
import {Connections, get} from '../../../../src/host/http/client.js'
import {startForwardProxy} from '../../../support/forward-proxy.js'
import {startServer} from '../../../support/http-server.js'

async function ask(
  url: URL,
  {connections, environment}: {connections: Connections; environment: Record<string, string>},
): Promise<void> {
  const {signal} = new AbortController()
  const answer = await get(url, {
    headers: {},
    environment,
    signal,
    connections,
    headMs: 10_000,
    idleMs: 10_000,
  })
  for await (const chunk of answer.body) assert.equal(String(chunk), 'body')
  answer.close()
}

test('one connection serves one request after the other', async (t) => {
  const ports = new Set<number | undefined>()
  const {origin} = await startServer(t, (request, response) => {
    ports.add(request.socket.remotePort)
    response.end('body')
  })
  const connections = new Connections(2)
  t.after(() => connections.close())
  for (let asked = 0; asked < 5; asked++) await ask(origin, {connections, environment: {}})
  assert.equal(ports.size, 1)
})

test('many at once through a proxy raise no warning of a leak', async (t) => {
  const {origin} = await startServer(t, (_, response) => response.end('body'))
  const environment = {http_proxy: (await startForwardProxy(t)).url.href}
  const connections = new Connections(15)
  t.after(() => connections.close())
  const warnings: string[] = []
  const note = ({name}: Error) => warnings.push(name)
  process.on('warning', note)
  t.after(() => process.off('warning', note))
  await Promise.all(Array.from({length: 15}, () => ask(origin, {connections, environment})))
  assert.deepEqual(warnings, [])
})

test('after they are closed, nothing keeps the server', async (t) => {
  const sockets = new Set<Socket>()
  const {origin} = await startServer(t, (request, response) => {
    sockets.add(request.socket)
    response.end('body')
  })
  const connections = new Connections(2)
  const {signal} = new AbortController()
  const answer = await get(origin, {
    headers: {},
    environment: {},
    signal,
    connections,
    headMs: 10_000,
    idleMs: 10_000,
  })
  for await (const _ of answer.body);
  const [socket] = sockets
  assert.ok(socket?.destroyed === false)
  const closed = once(socket, 'close')
  await connections.close()
  await closed
})
