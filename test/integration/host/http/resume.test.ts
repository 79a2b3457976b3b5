import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {readFile, writeFile} from 'node:fs/promises'
import {test} from 'node:test'
import type {DownloadEvent} from '../../../../src/host/http/attempt.js'
import {digestOf, given} from '../../../support/download.js'

const BODY = randomBytes(300_000)
const OTHER_BODY = randomBytes(300_000)
const ETAG = {etag: '"v1"'}

test('a connection that breaks again and again is gone on with where it stopped', async (t) => {
  const {fetchFile, destination, server} = await given(t, (hit) => ({
    body: BODY,
    headers: ETAG,
    ...(hit < 2 ? {breakAfterBytes: 100_000} : {}),
  }))
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
  assert.deepEqual(
    server.seen.map(({headers}) => [headers['range'], headers['if-range']]),
    [
      [undefined, undefined],
      ['bytes=100000-', '"v1"'],
      ['bytes=200000-', '"v1"'],
    ],
  )
})

test('progress resets the count of failures, so retries bound only what brings nothing', async (t) => {
  const {fetchFile, destination} = await given(t, (hit) => ({
    body: BODY,
    headers: ETAG,
    ...(hit < 5 ? {breakAfterBytes: 50_000} : {}),
  }))
  await fetchFile({retries: 1})
  assert.deepEqual(await readFile(destination), BODY)
})

test('a date that is older than the answer serves as a validator', async (t) => {
  const modified = new Date(Date.now() - 60_000).toUTCString()
  const {fetchFile, server} = await given(t, (hit) => ({
    body: BODY,
    headers: {'last-modified': modified},
    ...(hit === 0 ? {breakAfterBytes: 100_000} : {}),
  }))
  await fetchFile()
  assert.equal(server.seen[1]?.headers['if-range'], modified)
})

for (const [what, headers] of [
  ['no validator', {}],
  ['a weak ETag alone', {etag: 'W/"v1"'}],
] as const) {
  test(`with ${what} and no digest a broken file is fetched from its start`, async (t) => {
    const {fetchFile, destination, server} = await given(t, (hit) => ({
      body: BODY,
      headers,
      ...(hit === 0 ? {breakAfterBytes: 9000} : {}),
    }))
    await fetchFile()
    assert.equal(server.seen[1]?.headers['range'], undefined)
    assert.deepEqual(await readFile(destination), BODY)
  })
}

test('with a digest the rest is asked for even without a validator', async (t) => {
  const {fetchFile, server} = await given(t, (hit) => ({
    body: BODY,
    ...(hit === 0 ? {breakAfterBytes: 100_000} : {}),
  }))
  await fetchFile({sha256: digestOf(BODY)})
  assert.equal(server.seen[1]?.headers['range'], 'bytes=100000-')
})

test('a file that changed between two tries is fetched from its start', async (t) => {
  const {fetchFile, destination} = await given(t, (hit) =>
    hit === 0
      ? {body: OTHER_BODY, headers: ETAG, breakAfterBytes: 100_000}
      : {body: BODY, headers: {etag: '"v2"'}},
  )
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
})

test('a part of another version is not appended, even if the server heeds no condition', async (t) => {
  const {fetchFile, destination} = await given(t, (hit) =>
    hit === 0
      ? {body: OTHER_BODY, headers: ETAG, breakAfterBytes: 100_000}
      : {body: BODY, headers: {etag: '"v2"'}, ignoresCondition: true},
  )
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
})

test('two versions mixed unnoticed are found by the digest and fetched once more, whole', async (t) => {
  const {fetchFile, destination, server} = await given(t, (hit) => ({
    body: hit === 0 ? OTHER_BODY : BODY,
    ...(hit === 0 ? {breakAfterBytes: 100_000} : {}),
  }))
  await fetchFile({sha256: digestOf(BODY)})
  assert.deepEqual(await readFile(destination), BODY)
  assert.deepEqual(
    server.seen.map(({headers}) => headers['range']),
    [undefined, 'bytes=100000-', undefined],
  )
})

test('a server that answers a range with the whole file is taken at its word', async (t) => {
  const {fetchFile, destination} = await given(t, (hit) => ({
    body: BODY,
    headers: ETAG,
    ignoresRanges: true,
    ...(hit === 0 ? {breakAfterBytes: 100_000} : {}),
  }))
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
})

test('a part other than the one asked for is not appended', async (t) => {
  const {fetchFile, destination} = await given(t, (hit) =>
    hit === 1
      ? (_request, response) => {
          response.writeHead(206, {'content-range': 'bytes 50000-50009/300000', 'content-length': 10})
          response.end(BODY.subarray(50_000, 50_010))
        }
      : {body: BODY, headers: ETAG, ...(hit === 0 ? {breakAfterBytes: 100_000} : {})},
  )
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
})

test('a server that offers less than was received is asked for all of it', async (t) => {
  const shorter = BODY.subarray(0, 50_000)
  const {fetchFile, destination} = await given(t, (hit) =>
    hit === 0 ? {body: BODY, headers: ETAG, breakAfterBytes: 100_000} : {body: shorter, headers: ETAG},
  )
  await fetchFile()
  assert.deepEqual(await readFile(destination), shorter)
})

test('an interrupted download is gone on with by a later one', async (t) => {
  const {fetchFile, destination, server} = await given(t, (hit) => ({
    body: BODY,
    headers: ETAG,
    ...(hit === 0 ? {breakAfterBytes: 100_000} : {}),
  }))
  await assert.rejects(fetchFile({retries: 0}), {name: 'NetworkError'})
  await fetchFile()
  assert.equal(server.seen[1]?.headers['range'], 'bytes=100000-')
  assert.deepEqual(await readFile(destination), BODY)
})

test('a part that holds everything already is published without its body being sent again', async (t) => {
  const stop = new AbortController()
  const {fetchFile, destination, server} = await given(t, (hit) =>
    hit > 0
      ? {body: BODY, headers: ETAG}
      : (_request, response) => {
          response.writeHead(200, ETAG)
          response.write(BODY)
        },
  )
  const onProgress = (event: DownloadEvent) => {
    if (event.stage === 'download' && event.receivedBytes === BODY.length) stop.abort(new Error('enough'))
  }
  await assert.rejects(fetchFile({signal: stop.signal, onProgress}), {message: 'enough'})
  await fetchFile()
  assert.equal(server.seen.length, 2)
  assert.equal(server.seen[1]?.headers['range'], 'bytes=300000-')
  assert.deepEqual(await readFile(destination), BODY)
})

test('a record that is no JSON counts as none', async (t) => {
  const {fetchFile, destination, server} = await given(t, () => ({body: BODY}))
  await writeFile(`${destination}.part`, 'left over')
  await writeFile(`${destination}.part.json`, '{"schemaVersion":')
  await fetchFile()
  assert.equal(server.seen[0]?.headers['range'], undefined)
  assert.deepEqual(await readFile(destination), BODY)
})

test('what was left of another URL is not gone on with', async (t) => {
  const {fetchFile, destination, server} = await given(t, (hit, request) => ({
    body: request.url === '/file' ? BODY : OTHER_BODY,
    headers: ETAG,
    ...(hit === 0 ? {breakAfterBytes: 100_000} : {}),
  }))
  await assert.rejects(fetchFile({url: new URL('/other', server.origin), retries: 0}))
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
})

test('a server that sends less of the rest than it was asked for is asked on', async (t) => {
  const {fetchFile, destination, server} = await given(t, (hit) =>
    hit === 1
      ? (_request, response) => {
          response.writeHead(206, {'content-range': 'bytes 100000-199999/300000', 'content-length': 100_000})
          response.end(BODY.subarray(100_000, 200_000))
        }
      : {body: BODY, headers: ETAG, ...(hit === 0 ? {breakAfterBytes: 100_000} : {})},
  )
  await fetchFile()
  assert.equal(server.seen[2]?.headers['range'], 'bytes=200000-')
  assert.deepEqual(await readFile(destination), BODY)
})

test('a body that ends early without an announced length is found by the size expected', async (t) => {
  const {fetchFile, destination, server} = await given(t, (hit) =>
    hit > 0
      ? {body: BODY, headers: ETAG}
      : (_request, response) => {
          response.writeHead(200, {...ETAG, 'transfer-encoding': 'chunked'})
          response.end(BODY.subarray(0, 100_000))
        },
  )
  await fetchFile({expectedBytes: 300_000})
  assert.equal(server.seen.length, 2)
  assert.deepEqual(await readFile(destination), BODY)
})
