import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {Sha256} from '../../../src/host/digest.js'
import {openImage} from '../../../src/images/open-image.js'
import type {OpenedImage} from '../../../src/images/opened-image.js'
import {digestOf} from '../../support/download.js'
import {answerWithFile, type FileAnswer, startServer} from '../../support/http-server.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const BYTES = randomBytes(100_000)

test('a URL is downloaded, opened as a file and shown without its secrets', async (t) => {
  const {open, origin} = await givenUrl(t, {body: BYTES})
  const image = await open('/a/rootfs.tar?token=secret')
  assert.equal(image.source, `${origin}a/rootfs.tar?***`)
  assert.equal(image.sizeBytes, 100_000)
  assert('fd' in image.bytes)
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

test('a URL whose file has another digest is not even opened', async (t) => {
  const {open, downloads} = await givenUrl(t, {body: BYTES})
  await assert.rejects(open('/rootfs.tar', digestOf(Buffer.from('x'))), {name: 'DigestMismatchError'})
  assert.deepEqual(await readdir(downloads), [])
})

test('the downloaded file is gone once the image is closed', async (t) => {
  const {open, downloads} = await givenUrl(t, {body: BYTES})
  const image = await open('/rootfs.tar')
  assert.equal((await readdir(downloads)).length, 1)
  await image.close()
  assert.deepEqual(await readdir(downloads), [])
})

test('two URLs do not share a file', async (t) => {
  const {open, downloads} = await givenUrl(t, {body: BYTES})
  await open('/a/rootfs.tar')
  await open('/b/rootfs.tar')
  assert.equal((await readdir(downloads)).length, 2)
})

async function givenUrl(
  t: TestContext,
  answer: FileAnswer,
): Promise<{
  open: (target: string, sha256?: Sha256) => Promise<OpenedImage>
  origin: string
  downloads: string
}> {
  const server = await startServer(t, (request, response) => answerWithFile(request, response, answer))
  const cacheFolder = await temporaryFolder(t)
  return {
    origin: server.origin.href,
    downloads: join(cacheFolder, 'downloads'),
    async open(target, sha256) {
      const reference = {kind: 'url', url: new URL(target, server.origin)} as const
      const image = await openImage(reference, {cacheFolder, environment: {}, sha256})
      t.after(() => image.close())
      return image
    },
  }
}
