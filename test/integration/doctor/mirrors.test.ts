import assert from 'node:assert/strict'
import {test} from 'node:test'
import {observeMirrors} from '../../../src/doctor/network.js'
import {startServer} from '../../support/http-server.js'

const HOST = {environment: {}, now: () => new Date()}

test('a server is asked for its page, and for its time', async (t) => {
  const date = new Date(Date.UTC(2020, 1, 2))
  const server = await startServer(t, (_, response) => {
    response.writeHead(404, {date: date.toUTCString()}).end('none')
  })
  const url = new URL('archive', server.origin).href
  const [mirror] = await observeMirrors(HOST, [url])
  assert.deepEqual(
    {answer: mirror?.answer, serverTimeMs: mirror?.serverTimeMs, url: mirror?.url},
    {answer: 404, serverTimeMs: date.getTime(), url: `${url}/`},
  )
  assert.deepEqual(
    server.seen.map(({target}) => target),
    ['/archive/'],
  )
})

test('a proxy that is set is what asks', async (t) => {
  const proxy = await startServer(t, (_, response) => void response.writeHead(200).end())
  const environment = {http_proxy: String(proxy.origin)}
  const [mirror] = await observeMirrors({...HOST, environment}, ['http://mirror.invalid'])
  assert.deepEqual([mirror?.answer, mirror?.viaProxy], [200, new URL(proxy.origin).host])
})

test('a server that refuses is told with the reason, and without a password', async () => {
  const [mirror] = await observeMirrors(HOST, ['http://ada:secret@127.0.0.1:1'])
  assert.deepEqual(
    [mirror?.answer, mirror?.url],
    ['the connection was refused', 'http://***:***@127.0.0.1:1/'],
  )
})
