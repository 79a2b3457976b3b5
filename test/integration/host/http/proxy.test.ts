import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {createServer, type Socket} from 'node:net'
import {test} from 'node:test'
import {given} from '../../../support/download.js'
import {startForwardProxy} from '../../../support/forward-proxy.js'

const BODY = Buffer.from('the body')

test('http goes through a proxy by the whole URL, not by a tunnel', async (t) => {
  const {fetchFile, destination, server} = await given(t, () => ({body: BODY}))
  const proxy = await startForwardProxy(t)
  await fetchFile({environment: {http_proxy: proxy.url.href}})
  assert.deepEqual(proxy.lines, [`GET ${new URL('/file', server.origin).href}`])
  assert.deepEqual(await readFile(destination), BODY)
})

test('a proxy is given the user and password of its URL', async (t) => {
  const {fetchFile} = await given(t, () => ({body: BODY}))
  const proxy = await startForwardProxy(t)
  await fetchFile({environment: {HTTP_PROXY: proxy.url.href.replace('://', '://me:pa%40ss@')}})
  assert.deepEqual(proxy.credentials, [`Basic ${btoa('me:pa@ss')}`])
})

test('a host in no_proxy is asked directly', async (t) => {
  const {fetchFile, server} = await given(t, () => ({body: BODY}))
  const proxy = await startForwardProxy(t)
  await fetchFile({environment: {http_proxy: proxy.url.href, no_proxy: 'localhost,127.0.0.0/8'}})
  assert.deepEqual(proxy.lines, [])
  assert.equal(server.seen.length, 1)
})

test('the proxy is chosen anew where a redirect leads', async (t) => {
  const {fetchFile, server} = await given(t, (hit) =>
    hit > 0
      ? {body: BODY}
      : (_request, response) => {
          const {port} = server.origin
          response.writeHead(302, {location: `http://localhost:${port}/moved`}).end()
        },
  )
  const proxy = await startForwardProxy(t)
  await fetchFile({environment: {http_proxy: proxy.url.href, no_proxy: 'localhost'}})
  assert.deepEqual(proxy.lines, [`GET ${new URL('/file', server.origin).href}`])
  assert.equal(server.seen[1]?.target, '/moved')
})

test('an error that came by way of a proxy names it', async (t) => {
  const {fetchFile} = await given(t, () => (_request, response) => response.writeHead(403).end())
  const proxy = await startForwardProxy(t)
  await assert.rejects(fetchFile({environment: {http_proxy: proxy.url.href}}), {
    suggestions: [`The answer came through the proxy ${proxy.url.host}.`],
  })
})

test('a kind of proxy envs does not speak is named', async (t) => {
  const {fetchFile, server} = await given(t, () => ({body: BODY}))
  await assert.rejects(fetchFile({environment: {http_proxy: 'socks5://me:secret@proxy.example:1080'}}), {
    message: `The download from ${server.origin.host} failed: the protocol socks5: of its proxy proxy.example:1080 is not supported.`,
  })
})

test('a proxy that accepts a tunnel and says no more is let go of', {timeout: 10_000}, async (t) => {
  const {fetchFile} = await given(t, () => ({body: BODY}))
  const silent = createServer()
  const closed = new Promise<void>((resolve) => {
    silent.once('connection', (socket: Socket) => socket.resume().once('close', () => resolve()))
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.after(() => silent.close())
  const address = silent.address()
  assert(address !== null && typeof address === 'object')
  const environment = {https_proxy: `http://127.0.0.1:${address.port}`}
  const url = new URL('https://unreached.example/file')
  await assert.rejects(fetchFile({url, environment, headMs: 1000, retries: 0}), {
    message: 'The download from unreached.example failed: it sent nothing for too long.',
  })
  await closed
})

test('a proxy that refuses the tunnel is an error of the network', async (t) => {
  const {fetchFile} = await given(t, () => ({body: BODY}))
  const refusing = createServer((socket) => socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'))
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve))
  t.after(() => refusing.close())
  const address = refusing.address()
  assert(address !== null && typeof address === 'object')
  const environment = {https_proxy: `http://127.0.0.1:${address.port}`}
  await assert.rejects(fetchFile({url: new URL('https://unreached.example/file'), environment}), {
    message: 'The download from unreached.example failed: it answered with status 403.',
    suggestions: [`The answer came through the proxy 127.0.0.1:${address.port}.`],
  })
})

test('a proxy that can not be reached is named, not the server behind it', async (t) => {
  const {fetchFile, server} = await given(t, () => ({body: BODY}))
  await assert.rejects(fetchFile({retries: 0, environment: {http_proxy: 'http://127.0.0.1:1'}}), {
    message: `The download from ${server.origin.host} failed: its proxy 127.0.0.1:1 is unreachable: the connection was refused.`,
  })
})
