import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {type TestContext, test} from 'node:test'
import {ExitCode} from '../../../src/errors.js'
import type {Sha256} from '../../../src/host/digest.js'
import type {OpenedTarballs} from '../../../src/images/opened-image.js'
import {digestOf} from '../../support/download.js'
import {answerWithFile, type FileAnswer, startServer} from '../../support/http-server.js'
import {type OpenReferenceOptions, openReference} from '../../support/open-image.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const BYTES = randomBytes(100_000)

test('a URL is shown without its secrets, and read as a stream', async (t) => {
  const {open, origin} = await givenUrl(t, {body: BYTES})
  const image = await open('/a/rootfs.tar?token=secret')
  assert.equal(image.source, `${origin}a/rootfs.tar?***`)
  assert(image.layers[0].bytes instanceof Readable)
  assert.deepEqual(await buffer(image.layers[0].bytes), BYTES)
  assert.deepEqual(await image.verify(), {
    sha256: digestOf(BYTES),
    sizeBytes: 100_000,
    trust: 'unverified',
  })
})

test('a URL with its digest is vouched for by it', async (t) => {
  const {open} = await givenUrl(t, {body: BYTES})
  const image = await open('/rootfs.tar', digestOf(BYTES))
  assert.equal((await image.verify()).trust, 'digest')
})

test('a URL whose file has another digest is not verified, and nothing of it stays', async (t) => {
  const {open, downloads} = await givenUrl(t, {body: BYTES})
  const image = await open('/rootfs.tar', digestOf(Buffer.from('x')))
  await assert.rejects(image.verify(), {name: 'DigestMismatchError'})
  assert.deepEqual(await readdir(downloads), [])
})

test('what a reader left of a download is in the digest too', async (t) => {
  const {open} = await givenUrl(t, {body: BYTES})
  const image = await open('/rootfs.tar')
  assert(image.layers[0].bytes instanceof Readable)
  image.layers[0].bytes.destroy()
  assert.equal((await image.verify()).sha256, digestOf(BYTES))
})

test('a URL that nothing lies at is not opened', async (t) => {
  const server = await startServer(t, (_, response) => response.writeHead(404).end())
  const {openFrom} = await givenUrl(t, {body: BYTES})
  await assert.rejects(openFrom(server.origin), {name: 'NetworkError'})
})

test('the archive can be read before the server has sent all of it', async (t) => {
  let finish = () => {}
  const server = await startServer(t, (_, response) => {
    response.writeHead(200, {'content-length': BYTES.length})
    response.write(BYTES.subarray(0, 60_000))
    finish = () => response.end(BYTES.subarray(60_000))
  })
  const {openFrom} = await givenUrl(t, {body: BYTES})
  const [{bytes}] = (await openFrom(server.origin)).layers
  assert(bytes instanceof Readable)
  const pieces: Buffer[] = []
  for await (const piece of bytes) {
    pieces.push(piece)
    if (Buffer.concat(pieces).length === 60_000) finish()
  }
  assert.deepEqual(Buffer.concat(pieces), BYTES)
})

test('a reader hears of a download that fails after it began', async (t) => {
  const server = await startServer(t, (request, response, hit) => {
    if (hit > 0) response.writeHead(404).end()
    else answerWithFile(request, response, {body: BYTES, breakAfterBytes: 10_000}, client)
  })
  const client = {receivedBytes: 0}
  const {openFrom} = await givenUrl(t, {body: BYTES})
  const image = await openFrom(server.origin, (receivedBytes) => {
    client.receivedBytes = receivedBytes
  })
  const [{bytes}] = image.layers
  assert(bytes instanceof Readable)
  await assert.rejects(buffer(bytes), {name: 'NetworkError'})
})

test('a download that begins anew with the same bytes is no matter', async (t) => {
  const {image, head, rest} = await givenRestart(t, BYTES)
  assert.deepEqual(Buffer.concat([head, await buffer(rest)]), BYTES)
  assert.equal((await image.verify()).sha256, digestOf(BYTES))
})

test('a download that begins anew with other bytes is told from the file it ends as', async (t) => {
  const {image, rest} = await givenRestart(t, randomBytes(100_000))
  rest.resume()
  await assert.rejects(image.verify(), {name: 'ImageReplacedError', exitCode: ExitCode.network})
})

test('the downloaded file is gone once the image is closed', async (t) => {
  const {open, downloads} = await givenUrl(t, {body: BYTES})
  const image = await open('/rootfs.tar')
  await image.verify()
  assert.equal((await readdir(downloads)).length, 1)
  await image.close()
  assert.deepEqual(await readdir(downloads), [])
})

test('two URLs do not share a file', async (t) => {
  const {open, downloads} = await givenUrl(t, {body: BYTES})
  for (const target of ['/a/rootfs.tar', '/b/rootfs.tar']) await (await open(target)).verify()
  assert.equal((await readdir(downloads)).length, 2)
})

/** An image of which 10,000 bytes were read when the server broke off, to send `second` from its start. */
async function givenRestart(
  t: TestContext,
  second: Buffer,
): Promise<{image: OpenedTarballs; head: Buffer; rest: Readable}> {
  const client = {receivedBytes: 0}
  const server = await startServer(t, (request, response, hit) => {
    const answer = hit === 0 ? {body: BYTES, breakAfterBytes: 10_000} : {body: second, ignoresRanges: true}
    answerWithFile(request, response, answer, client)
  })
  const {openFrom} = await givenUrl(t, {body: BYTES})
  const image = await openFrom(server.origin)
  const rest = image.layers[0].bytes
  assert(rest instanceof Readable)
  let head = Buffer.alloc(0)
  while (head.length < 10_000) {
    const piece: unknown = rest.read()
    if (Buffer.isBuffer(piece)) head = Buffer.concat([head, piece])
    else await once(rest, 'readable')
  }
  client.receivedBytes = head.length
  return {image, head, rest}
}

async function givenUrl(
  t: TestContext,
  answer: FileAnswer,
): Promise<{
  open: (target: string, sha256?: Sha256) => Promise<OpenedTarballs>
  /** From another server; `onBytes` is told how far the download is. */
  openFrom: (url: URL, onBytes?: (receivedBytes: number) => void) => Promise<OpenedTarballs>
  origin: string
  downloads: string
}> {
  const server = await startServer(t, (request, response) => answerWithFile(request, response, answer))
  const folder = await temporaryFolder(t)
  const openWith = async (url: URL, more: OpenReferenceOptions) => {
    const image = await openReference(url.href, folder, more)
    t.after(() => image.close())
    return image
  }
  return {
    origin: server.origin.href,
    downloads: join(folder, 'cache', 'downloads'),
    open: (target, sha256) => openWith(new URL(target, server.origin), {sha256}),
    openFrom: (url, onBytes) =>
      openWith(url, {
        onProgress: (event) => {
          if (event.stage === 'download') onBytes?.(event.receivedBytes)
        },
      }),
  }
}
