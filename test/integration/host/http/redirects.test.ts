import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {test} from 'node:test'
import {given} from '../../../support/download.js'
import {startServer} from '../../../support/http-server.js'

const BODY = Buffer.from('the body')

for (const status of [301, 302, 303, 307, 308]) {
  test(`a redirect of status ${status} is followed, by a path too`, async (t) => {
    const {fetchFile, destination} = await given(t, (_hit, request) =>
      request.url === '/moved'
        ? {body: BODY}
        : (_request, response) => response.writeHead(status, {location: 'moved'}).end('not the body'),
    )
    await fetchFile()
    assert.deepEqual(await readFile(destination), BODY)
  })
}

test('a redirect to another host does not carry the password along', async (t) => {
  const other = await startServer(t, (_request, response) => response.end(BODY))
  const {fetchFile, server} = await given(t, () => (_request, response) => {
    response.writeHead(302, {location: new URL('/moved', other.origin).href}).end()
  })
  await fetchFile({url: new URL('/file', server.origin.href.replace('://', '://user:secret@'))})
  assert.equal(server.seen[0]?.headers['authorization'], `Basic ${btoa('user:secret')}`)
  assert.equal(other.seen[0]?.headers['authorization'], undefined)
})

test('a password in the URL is in no message', async (t) => {
  const {fetchFile, server} = await given(t, () => (_request, response) => response.writeHead(404).end())
  const url = new URL('/file', server.origin.href.replace('://', '://user:secret@'))
  await assert.rejects(fetchFile({url}), {
    message: `The download from ${server.origin.host} failed: it answered with status 404.`,
  })
})

test('a redirect that leads back to itself ends after ten', async (t) => {
  const {fetchFile, server} = await given(t, () => (_request, response) => {
    response.writeHead(302, {location: '/file'}).end()
  })
  await assert.rejects(fetchFile(), {
    message: `The download from ${server.origin.host} failed: it redirects more than 10 times.`,
  })
  assert.equal(server.seen.length, 11)
})

for (const [what, location, reason] of [
  ['to a file of this machine', 'file:///etc/passwd', 'it redirects from http: to file:'],
  ['to nowhere', 'http://[', 'it redirects to a malformed URL'],
] as const) {
  test(`a redirect ${what} is refused`, async (t) => {
    const {fetchFile, server} = await given(t, () => (_request, response) => {
      response.writeHead(302, {location}).end()
    })
    await assert.rejects(fetchFile(), {
      message: `The download from ${server.origin.host} failed: ${reason}.`,
    })
    assert.equal(server.seen.length, 1)
  })
}

test('the rest of a file is asked for where the redirect leads', async (t) => {
  const {fetchFile, destination, server} = await given(t, (hit, request) =>
    request.url === '/moved'
      ? {body: BODY, headers: {etag: '"v1"'}, ...(hit < 2 ? {breakAfterBytes: 3} : {})}
      : (_request, response) => response.writeHead(302, {location: '/moved'}).end(),
  )
  await fetchFile()
  assert.deepEqual(
    server.seen.map(({target, headers}) => [target, headers['range']]),
    [
      ['/file', undefined],
      ['/moved', undefined],
      ['/file', 'bytes=3-'],
      ['/moved', 'bytes=3-'],
    ],
  )
  assert.deepEqual(await readFile(destination), BODY)
})

test('the body of a redirect is not read to its end, which may never come', async (t) => {
  let closed = () => {}
  const isClosed = new Promise<void>((resolve) => {
    closed = resolve
  })
  const {fetchFile, destination} = await given(t, (_hit, request) =>
    request.url === '/moved'
      ? {body: BODY}
      : (_request, response) => {
          response.writeHead(302, {location: '/moved'})
          const flood = setInterval(() => response.write('x'.repeat(60_000)), 1)
          response.once('close', () => {
            clearInterval(flood)
            closed()
          })
        },
  )
  await fetchFile()
  assert.deepEqual(await readFile(destination), BODY)
  await isClosed
})
