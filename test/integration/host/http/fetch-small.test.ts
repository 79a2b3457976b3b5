import assert from 'node:assert/strict'
import type {RequestListener} from 'node:http'
import {type TestContext, test} from 'node:test'
import {type FetchSmallOptions, fetchSmall} from '../../../../src/host/http/fetch.js'
import {startServer, type TestServer} from '../../../support/http-server.js'

const BODY = Buffer.from('a listing\n')

type Setting = {
  readonly server: TestServer
  readonly fetchFile: (options?: Partial<FetchSmallOptions>) => Promise<Buffer | undefined>
}

async function given(t: TestContext, script: (hit: number) => RequestListener): Promise<Setting> {
  const server = await startServer(t, (request, response, hit) => script(hit)(request, response))
  const defaults = {environment: {}, maxBytes: 100, backoffMs: 1}
  return {
    server,
    fetchFile: (options) => fetchSmall(new URL('/file', server.origin), {...defaults, ...options}),
  }
}

const whole: RequestListener = (_request, response) => response.end(BODY)
const status =
  (code: number): RequestListener =>
  (_request, response) =>
    response.writeHead(code).end('sorry')

test('a file is given whole', async (t) => {
  const {fetchFile} = await given(t, () => whole)
  assert.deepEqual(await fetchFile(), BODY)
})

for (const code of [404, 410]) {
  test(`an answer of ${code} is no failure, and asked for once`, async (t) => {
    const {fetchFile, server} = await given(t, () => status(code))
    assert.equal(await fetchFile(), undefined)
    assert.equal(server.seen.length, 1)
  })
}

test('a busy server is asked again', async (t) => {
  const {fetchFile, server} = await given(t, (hit) => (hit < 2 ? status(503) : whole))
  assert.deepEqual(await fetchFile(), BODY)
  assert.equal(server.seen.length, 3)
})

test('a server that stays busy is told by its status', async (t) => {
  const {fetchFile, server} = await given(t, () => status(503))
  await assert.rejects(fetchFile(), {
    name: 'NetworkError',
    exitCode: 5,
    host: server.origin.host,
    reason: 'it answered with status 503',
  })
  assert.equal(server.seen.length, 3)
})

test('a refusal is not asked for again', async (t) => {
  const {fetchFile, server} = await given(t, () => status(403))
  await assert.rejects(fetchFile(), {name: 'NetworkError', reason: 'it answered with status 403'})
  assert.equal(server.seen.length, 1)
})

test('a body that breaks off is fetched anew', async (t) => {
  const {fetchFile} = await given(t, (hit) => {
    if (hit > 0) return whole
    return (_request, response) => {
      response.writeHead(200, {'content-length': BODY.length})
      response.write(BODY.subarray(0, 4), () => response.destroy())
    }
  })
  assert.deepEqual(await fetchFile(), BODY)
})

test('a body that is announced as too large is not read', async (t) => {
  const {fetchFile, server} = await given(t, () => (_request, response) => {
    response.writeHead(200, {'content-length': 101})
    response.flushHeaders()
  })
  await assert.rejects(fetchFile(), {
    name: 'UnexpectedSizeError',
    exitCode: 6,
    message: /sends 101 bytes or more; at most 100 bytes were expected\.$/,
  })
  assert.equal(server.seen.length, 1)
})

test('a body that never ends is read up to the limit only', async (t) => {
  const {fetchFile} = await given(t, () => (_request, response) => {
    const timer = setInterval(() => response.write('x'.repeat(60)), 1)
    response.on('close', () => clearInterval(timer))
  })
  await assert.rejects(fetchFile(), {name: 'UnexpectedSizeError'})
})

test('a body of just the limit is taken', async (t) => {
  const {fetchFile} = await given(t, () => whole)
  assert.deepEqual(await fetchFile({maxBytes: BODY.length}), BODY)
})

test('a server that falls silent is left', async (t) => {
  const {fetchFile} = await given(t, () => (_request, response) => response.write('x'))
  await assert.rejects(fetchFile({idleMs: 200, retries: 0}), {
    name: 'NetworkError',
    reason: 'it sent nothing for too long',
  })
})

test('a server that is slow but not silent is waited for', async (t) => {
  const {fetchFile} = await given(t, () => (_request, response) => {
    let sent = 0
    const timer = setInterval(() => {
      sent++
      response.write('x')
      if (sent === 10) {
        clearInterval(timer)
        response.end()
      }
    }, 200)
  })
  // Less than all takes, and so much more than a byte that a busy machine does not matter.
  assert.equal((await fetchFile({idleMs: 1500}))?.length, 10)
})

test('an end asked for from outside ends it with its own reason', async (t) => {
  const stop = new AbortController()
  const reason = new Error('stop')
  const {fetchFile} = await given(t, () => () => stop.abort(reason))
  await assert.rejects(fetchFile({signal: stop.signal}), reason)
})

test('a wait between two tries ends with that reason, too', async (t) => {
  const stop = new AbortController()
  const reason = new Error('stop')
  const {fetchFile, server} = await given(t, () => (request, response) => {
    // The answer is on its way to a reader in this process.
    response.once('close', () => setTimeout(() => stop.abort(reason), 100))
    status(503)(request, response)
  })
  await assert.rejects(fetchFile({signal: stop.signal, backoffMs: 60_000}), reason)
  assert.equal(server.seen.length, 1)
})

for (const [isFresh, expected] of [
  [true, 'no-cache'],
  [false, undefined],
] as const) {
  test(`caches on the way are ${isFresh ? 'told to ask the server' : 'left alone'}`, async (t) => {
    const {fetchFile, server} = await given(t, () => whole)
    await fetchFile({isFresh})
    assert.equal(server.seen[0]?.headers['cache-control'], expected)
  })
}
