import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {test} from 'node:test'
import type {DownloadEvent} from '../../../../src/host/http/attempt.js'
import {digestOf, given} from '../../../support/download.js'

const BODY = randomBytes(300_000)
const OTHER_BODY = randomBytes(300_000)
const ETAG = {etag: '"v1"'}

test('a file is fetched whole, with its size and digest, and nothing else is left', async (t) => {
  const {fetchFile, destination, folder} = await given(t, () => ({body: BODY}))
  assert.deepEqual(await fetchFile(), {path: destination, sizeBytes: 300_000, sha256: digestOf(BODY)})
  assert.deepEqual(await readFile(destination), BODY)
  assert.deepEqual(await readdir(folder), ['file'])
})

test('a file without an announced length is fetched whole', async (t) => {
  const {fetchFile, destination} = await given(t, () => (_request, response) => {
    response.write(BODY.subarray(0, 1000))
    response.end(BODY.subarray(1000))
  })
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
})

test('an empty file is fetched', async (t) => {
  const {fetchFile, destination} = await given(t, () => (_request, response) => response.end())
  assert.equal((await fetchFile()).sizeBytes, 0)
  assert.deepEqual(await readFile(destination), Buffer.alloc(0))
})

test('the file is asked for as it is, and a content encoding that comes all the same is kept', async (t) => {
  const {fetchFile, destination, server} = await given(t, () => ({
    body: BODY,
    headers: {'content-encoding': 'gzip'},
  }))
  await fetchFile()
  assert.equal(server.seen[0]?.headers['accept-encoding'], 'identity')
  assert.deepEqual(await readFile(destination), BODY)
})

test('a digest that fits keeps a file that is there from being fetched again', async (t) => {
  const {fetchFile, destination, server} = await given(t, () => (_request, response) => response.end())
  await writeFile(destination, BODY)
  assert.equal((await fetchFile({sha256: digestOf(BODY)})).sizeBytes, 300_000)
  assert.equal(server.seen.length, 0)
})

test('without a digest a file that is there is fetched anew', async (t) => {
  const {fetchFile, destination} = await given(t, () => (_request, response) => response.end(BODY))
  await writeFile(destination, OTHER_BODY)
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
})

test('progress tells what came and what is to come', async (t) => {
  const {fetchFile} = await given(
    t,
    () => (_request, response) => response.writeHead(200, {'content-length': 5}).end('12345'),
  )
  const events: DownloadEvent[] = []
  await fetchFile({onProgress: (event) => events.push(event)})
  assert.deepEqual(events, [{stage: 'download', receivedBytes: 5, totalBytes: 5}])
})

test('a signal stops the download with its reason and keeps what came', async (t) => {
  const stop = new AbortController()
  const {fetchFile, folder} = await given(t, () => (_request, response) => {
    response.writeHead(200, {'content-length': BODY.length, ...ETAG})
    response.write(BODY.subarray(0, 1000))
  })
  const reason = new Error('the user had enough')
  await assert.rejects(
    fetchFile({signal: stop.signal, onProgress: () => stop.abort(reason)}),
    (error) => error === reason,
  )
  assert.deepEqual((await readdir(folder)).sort(), ['file.part', 'file.part.json'])
})
