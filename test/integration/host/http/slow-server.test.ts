import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import type {RequestListener, ServerResponse} from 'node:http'
import {test} from 'node:test'
import {NetworkError} from '../../../../src/host/http/errors.js'
import {fetchSmall} from '../../../../src/host/http/fetch.js'
import {given} from '../../../support/download.js'
import {startServer} from '../../../support/http-server.js'

const BODY = randomBytes(100_000)
const ETAG = {etag: '"v1"'}
const LEAST_PACE = {bytes: 1000, withinMs: 100}

/** Sends a byte every other millisecond for as long as anybody listens, and never all. */
function trickle(response: ServerResponse): void {
  const timer = setInterval(() => response.write(BODY.subarray(0, 1)), 2)
  response.once('close', () => clearInterval(timer))
}

const trickles: RequestListener = (_request, response) => {
  response.writeHead(200, {'content-length': BODY.length, ...ETAG})
  trickle(response)
}

test('a server that sends next to nothing is given up, and named with what came', async (t) => {
  const {fetchFile, server} = await given(t, () => trickles)
  await assert.rejects(fetchFile({leastPace: LEAST_PACE}), (error) => {
    assert.ok(error instanceof NetworkError)
    assert.equal(error.host, server.origin.host)
    assert.match(error.reason, /^it sent only \d+ bytes in \d+ seconds; \d+ of 100000 bytes were received$/)
    return true
  })
  assert.equal(server.seen.length, 1)
})

test('what a server sent before it was given up is gone on with', async (t) => {
  const {fetchFile, destination, server} = await given(t, (hit) =>
    hit > 0
      ? {body: BODY, headers: ETAG}
      : (_request, response) => {
          response.writeHead(200, {'content-length': BODY.length, ...ETAG})
          let sent = 0
          const timer = setInterval(() => response.write(BODY.subarray(sent, ++sent)), 2)
          response.once('close', () => clearInterval(timer))
        },
  )
  await assert.rejects(fetchFile({leastPace: LEAST_PACE}))
  await fetchFile()
  assert.match(String(server.seen[1]?.headers['range']), /^bytes=[1-9]\d*-$/)
  assert.deepEqual(await readFile(destination), BODY)
})

test('a server that sends a byte a connection is given up after a number of them', async (t) => {
  const {fetchFile, server} = await given(t, () => ({body: BODY, headers: ETAG, breakAfterBytes: 1}))
  await assert.rejects(fetchFile({mostBreaks: 8}), /in the last of 9 attempts/)
  assert.equal(server.seen.length, 9)
})

test('a server that is slow, and fast enough, is not given up', async (t) => {
  const {fetchFile, destination} = await given(t, () => (_request, response) => {
    response.writeHead(200, {'content-length': BODY.length})
    let sent = 0
    const timer = setInterval(() => {
      response.write(BODY.subarray(sent, sent + 2000))
      sent += 2000
      if (sent === BODY.length) clearInterval(timer)
    }, 20)
  })
  // Less than all pieces take, and so much more than any that a busy machine does not matter.
  await fetchFile({leastPace: {bytes: 2000, withinMs: 800}})
  assert.deepEqual(await readFile(destination), BODY)
})

test('a small file that comes byte by byte is given up as well', async (t) => {
  const {origin, seen} = await startServer(t, trickles)
  const options = {environment: {}, maxBytes: BODY.length, leastPace: LEAST_PACE}
  await assert.rejects(fetchSmall(origin, options), /it sent only \d+ bytes in \d+ seconds/)
  assert.equal(seen.length, 1)
})
