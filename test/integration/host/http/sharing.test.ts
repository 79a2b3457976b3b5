import assert from 'node:assert/strict'
import {type ChildProcess, fork} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {readdir, readFile} from 'node:fs/promises'
import {type TestContext, test} from 'node:test'
import {digestOf, given} from '../../../support/download.js'
import {sourceProgramPath} from '../../../support/source-program.js'

const BODY = randomBytes(100_000)
const DOWNLOADER = sourceProgramPath('download')

test('two processes that want the same file share one download', {timeout: 30_000}, async (t) => {
  const {server, destination, folder} = await given(t, () => (_request, response) => {
    response.writeHead(200, {'content-length': BODY.length, etag: '"v1"'})
    response.write(BODY.subarray(0, 50_000))
    finish = () => response.end(BODY.subarray(50_000))
  })
  let finish = () => {}
  const first = startDownload(t, server.origin, destination)
  await messageOf(first, 'download')
  const second = startDownload(t, server.origin, destination)
  await messageOf(second, 'download-wait')
  const done = [messageOf(first, 'done'), messageOf(second, 'done')]
  finish()
  for (const message of await Promise.all(done)) {
    assert.deepEqual(message, {
      stage: 'done',
      path: destination,
      sizeBytes: 100_000,
      sha256: digestOf(BODY),
    })
  }
  assert.equal(server.seen.length, 1)
  assert.deepEqual(await readdir(folder), ['file'])
})

test('a process that waited goes on where one that was killed stopped', {timeout: 30_000}, async (t) => {
  const {server, destination} = await given(t, (hit) =>
    hit > 0
      ? {body: BODY, headers: {etag: '"v1"'}}
      : (_request, response) => {
          response.writeHead(200, {'content-length': BODY.length, etag: '"v1"'})
          response.write(BODY.subarray(0, 1000))
        },
  )
  const first = startDownload(t, server.origin, destination)
  await messageOf(first, 'download')
  const second = startDownload(t, server.origin, destination)
  await messageOf(second, 'download-wait')
  const done = messageOf(second, 'done')
  first.kill('SIGKILL')
  await done
  assert.equal(server.seen[1]?.headers['range'], 'bytes=1000-')
  assert.deepEqual(await readFile(destination), BODY)
})

function startDownload(t: TestContext, url: URL, destination: string): ChildProcess {
  const child = fork(DOWNLOADER, [url.href, destination])
  t.after(() => child.kill('SIGKILL'))
  return child
}

/** The child's first message of this stage from now on. */
function messageOf(child: ChildProcess, stage: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.on('message', (message) => {
      if (typeof message === 'object' && message !== null && 'stage' in message && message.stage === stage) {
        resolve(message)
      }
    })
    child.once('exit', (status) => reject(new Error(`the downloader ended with status ${status}`)))
  })
}
