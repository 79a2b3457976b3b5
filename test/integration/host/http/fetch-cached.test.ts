import assert from 'node:assert/strict'
import {mkdir, readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {fetchCached} from '../../../../src/host/http/fetch.js'
import {startServer, type TestServer} from '../../../support/http-server.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

type Served = {body: string; etag: string | undefined; status?: number}

type Setting = {
  readonly server: TestServer
  readonly served: Served
  readonly path: string
  readonly fetchFile: () => Promise<string | undefined>
}

/** A server of one file that answers 304 to the entity tag it has. */
async function given(t: TestContext, served: Served = {body: 'one', etag: '"1"'}): Promise<Setting> {
  const server = await startServer(t, (request, response) => {
    const {body, etag, status = 200} = served
    if (etag !== undefined && request.headers['if-none-match'] === etag) response.writeHead(304).end()
    else response.writeHead(status, etag === undefined ? {} : {etag}).end(body)
  })
  const path = join(await temporaryFolder(t), 'kept', 'file')
  const options = {environment: {}, maxBytes: 100, backoffMs: 1}
  const fetchFile = async () =>
    (await fetchCached(new URL('/file', server.origin), path, options))?.toString()
  return {server, served, path, fetchFile}
}

test('a file that is unchanged is not sent again', async (t) => {
  const {fetchFile, server} = await given(t)
  assert.deepEqual([await fetchFile(), await fetchFile()], ['one', 'one'])
  assert.deepEqual(
    server.seen.map(({headers}) => headers['if-none-match']),
    [undefined, '"1"'],
  )
})

test('a file that changed takes the place of the copy', async (t) => {
  const {fetchFile, served, server} = await given(t)
  await fetchFile()
  Object.assign(served, {body: 'two', etag: '"2"'})
  assert.deepEqual([await fetchFile(), await fetchFile()], ['two', 'two'])
  assert.equal(server.seen[2]?.headers['if-none-match'], '"2"')
})

test('a file that is gone is gone, copy or not', async (t) => {
  const {fetchFile, served} = await given(t)
  await fetchFile()
  Object.assign(served, {etag: undefined, status: 404})
  assert.equal(await fetchFile(), undefined)
})

test('a file without an entity tag or a date is not kept', async (t) => {
  const {fetchFile, path} = await given(t, {body: 'one', etag: undefined})
  await fetchFile()
  await assert.rejects(stat(path), {code: 'ENOENT'})
})

for (const [what, damage] of [
  ['whose body is damaged', (text: string) => text.replace(/one$/, 'won')],
  ['that is cut off', (text: string) => text.slice(0, 20)],
  ['that is empty', () => ''],
  ['that is something else', () => '[]\n'],
] as const) {
  test(`a copy ${what} is as none`, async (t) => {
    const {fetchFile, path, server} = await given(t)
    await fetchFile()
    await writeFile(path, damage(await readFile(path, 'utf8')))
    assert.equal(await fetchFile(), 'one')
    assert.equal(server.seen[1]?.headers['if-none-match'], undefined)
  })
}

test('where no copy can be kept the file is given all the same', async (t) => {
  const {fetchFile, path} = await given(t)
  await mkdir(path, {recursive: true})
  assert.deepEqual([await fetchFile(), await fetchFile()], ['one', 'one'])
})
