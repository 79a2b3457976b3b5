import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {join} from 'node:path'
import {test} from 'node:test'
import {ExitCode} from '../../../../src/errors.js'
import type {DownloadEvent} from '../../../../src/host/http/attempt.js'
import {NetworkError} from '../../../../src/host/http/errors.js'
import {digestOf, given} from '../../../support/download.js'

const BODY = randomBytes(10_000)
const ETAG = {etag: '"v1"'}

test('a missing file is said at once, with the host and the status', async (t) => {
  const {fetchFile, server} = await given(t, () => (_request, response) => response.writeHead(404).end())
  await assert.rejects(fetchFile(), {
    name: 'NetworkError',
    code: 'ENVS_NETWORK',
    exitCode: ExitCode.network,
    message: `The download from ${server.origin.host} failed: it answered with status 404.`,
    suggestions: ['Check the URL: there is no file.'],
  })
  assert.equal(server.seen.length, 1)
})

for (const status of [408, 429, 500, 502, 503, 504]) {
  test(`status ${status} is tried again`, async (t) => {
    const {fetchFile, destination} = await given(t, (hit) =>
      hit === 0 ? (_request, response) => response.writeHead(status).end() : {body: BODY},
    )
    await fetchFile()
    assert.deepEqual(await readFile(destination), BODY)
  })
}

test('tries that bring nothing come to an end, and their number is told', async (t) => {
  const {fetchFile, server} = await given(t, () => (_request, response) => response.writeHead(503).end())
  await assert.rejects(fetchFile({retries: 2}), {
    message: `The download from ${server.origin.host} failed: it answered with status 503, in the last of 3 attempts.`,
  })
  assert.equal(server.seen.length, 3)
})

for (const [retryAfter, waitMs] of [
  ['7', 7000],
  ['86400', 30_000],
] as const) {
  test(`a server that asks for ${retryAfter} seconds is given ${waitMs} ms`, async (t) => {
    const stop = new AbortController()
    const {fetchFile} = await given(t, () => (_request, response) => {
      response.writeHead(429, {'retry-after': retryAfter}).end()
    })
    const events: DownloadEvent[] = []
    const onProgress = (event: DownloadEvent) => {
      events.push(event)
      stop.abort(new Error('seen enough'))
    }
    await assert.rejects(fetchFile({signal: stop.signal, onProgress}), {message: 'seen enough'})
    assert.equal(events.length, 1)
    assert.equal(events[0]?.stage === 'download-retry' ? events[0].waitMs : undefined, waitMs)
  })
}

test('a port where nobody listens is not tried again', async (t) => {
  const {fetchFile} = await given(t, () => ({body: BODY}))
  const events: DownloadEvent[] = []
  const url = new URL(`http://127.0.0.1:${await freePort()}/file`)
  await assert.rejects(fetchFile({url, onProgress: (event) => events.push(event)}), {
    message: `The download from ${url.host} failed: the connection was refused.`,
  })
  assert.deepEqual(events, [])
})

test('a body shorter than announced is never taken for the whole', async (t) => {
  const {fetchFile, folder} = await given(t, () => (_request, response) => {
    response.writeHead(200, {'content-length': 20_000})
    response.write(BODY, () => response.destroy())
  })
  await assert.rejects(fetchFile({retries: 1}), NetworkError)
  assert.equal((await readdir(folder)).includes('file'), false)
})

test('a body longer than announced is refused', async (t) => {
  const {fetchFile, server} = await given(t, () => (_request, response) => {
    response.socket?.end(
      Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n'), BODY]),
    )
  })
  await assert.rejects(fetchFile({retries: 0}), {
    message: `The download from ${server.origin.host} failed: its answer is not valid HTTP.`,
  })
})

test('an answer that is no HTTP is an error of the network', async (t) => {
  const {fetchFile} = await given(t, () => (_request, response) => {
    response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n')
  })
  await assert.rejects(fetchFile({retries: 0}), NetworkError)
})

test('a body that stops coming is asked for again', async (t) => {
  const {fetchFile, destination} = await given(t, (hit) =>
    hit > 0
      ? {body: BODY, headers: ETAG}
      : (_request, response) => {
          response.writeHead(200, {'content-length': BODY.length, ...ETAG})
          response.write(BODY.subarray(0, 4000))
        },
  )
  await fetchFile({idleMs: 100})
  assert.deepEqual(await readFile(destination), BODY)
})

test('a server that never answers is given up', async (t) => {
  const {fetchFile, server} = await given(t, () => () => {})
  await assert.rejects(fetchFile({headMs: 100, retries: 1}), {
    message: `The download from ${server.origin.host} failed: it sent nothing for too long, in the last of 2 attempts.`,
  })
})

test('a wrong digest is an error of verification, is not tried again, and leaves nothing', async (t) => {
  const {fetchFile, folder, server} = await given(t, () => ({body: BODY}))
  const expected = digestOf(Buffer.from('another file'))
  await assert.rejects(fetchFile({sha256: expected}), {
    name: 'DigestMismatchError',
    exitCode: ExitCode.integrity,
    message: `The SHA-256 digest of ${server.origin.host} is ${digestOf(BODY)}, not ${expected}.`,
  })
  assert.equal(server.seen.length, 1)
  assert.deepEqual(await readdir(folder), [])
})

test('a file announced with another size than expected is refused before it is read', async (t) => {
  const {fetchFile, folder} = await given(t, () => ({body: BODY}))
  await assert.rejects(fetchFile({expectedBytes: 9999}), {
    name: 'UnexpectedSizeError',
    exitCode: ExitCode.integrity,
    message: /sends 10000 bytes or more; exactly 9999 bytes were expected\.$/,
  })
  assert.deepEqual(await readdir(folder), [])
})

test('a file announced larger than the limit is refused', async (t) => {
  const {fetchFile} = await given(t, () => ({body: BODY}))
  await assert.rejects(fetchFile({maxBytes: 9999}), {
    name: 'UnexpectedSizeError',
    message: /sends 10000 bytes or more; at most 9999 bytes were expected\.$/,
  })
})

test('a flood without an announced length is cut at the limit', async (t) => {
  const {fetchFile, folder} = await given(t, () => (_request, response) => {
    const flood = setInterval(() => response.write(BODY), 1)
    response.once('close', () => clearInterval(flood))
  })
  await assert.rejects(fetchFile({maxBytes: 100_000}), {name: 'UnexpectedSizeError'})
  assert.deepEqual(await readdir(folder), [])
})

test('a folder that can not be made is an error of storage', async (t) => {
  const {fetchFile, folder} = await given(t, () => ({body: BODY}))
  await writeFile(join(folder, 'a-file'), '')
  await assert.rejects(fetchFile({destination: join(folder, 'a-file', 'below')}), {
    code: 'ENVS_DOWNLOAD_STORAGE',
    exitCode: ExitCode.storage,
    message: `Could not write the download to "${join(folder, 'a-file', 'below')}.part": file already exists.`,
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  assert(address !== null && typeof address === 'object')
  return address.port
}
