import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {readdir, rm, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {test} from 'node:test'
import {ExitCode} from '../../../src/errors.js'
import type {Resolution} from '../../../src/images/resolve.js'
import {digestOf} from '../../support/download.js'
import {givenPublished} from '../../support/published.js'

const BYTES = randomBytes(300_000)
const SHA256 = digestOf(BYTES)

test('a published image is read while it is fetched, and says who signed it', async (t) => {
  const {open, servers} = await givenPublished(t, BYTES)
  const image = await open()
  assert(image.layers[0].bytes instanceof Readable)
  assert.deepEqual(await buffer(image.layers[0].bytes), BYTES)
  const evidence = await image.verify()
  assert(evidence.publication !== undefined)
  const {name, version, signer} = evidence.publication
  assert.deepEqual(
    [name, version, signer.fingerprint, evidence.sha256, evidence.sizeBytes],
    ['ubuntu:focal/base', '20.04.5', servers.signer.fingerprint, SHA256, 300_000],
  )
})

test('an image that is kept is not fetched again, and comes as a file', async (t) => {
  const {open, use, fetches} = await givenPublished(t, BYTES)
  await use()
  const image = await open()
  assert('fd' in image.layers[0].bytes)
  assert.equal((await image.verify()).trust, 'signed')
  assert.equal(fetches(), 1)
})

test('a newer point release is fetched, though an older one is kept', async (t) => {
  const {use, publish, fetches} = await givenPublished(t, BYTES)
  await use()
  const newer = randomBytes(1000)
  await publish('20.04.10', newer)
  assert.equal((await use()).sha256, digestOf(newer))
  assert.equal(fetches(), 2)
})

test('without a network the kept image is used, and why is told', async (t) => {
  const {use, offline} = await givenPublished(t, BYTES)
  await use()
  const resolutions: Resolution[] = []
  const evidence = await use({...offline, onResolved: (resolution) => resolutions.push(resolution)})
  assert.equal(evidence.trust, 'signed')
  const [resolution] = resolutions
  assert(resolution?.kind === 'kept')
  assert.match(resolution.reason, /^Could not look up "ubuntu:focal": http:\/\/127\.0\.0\.1:1 /)
})

test('without a network the newest of those kept is used', async (t) => {
  const {use, publish, offline} = await givenPublished(t, BYTES)
  await use()
  const newer = randomBytes(1000)
  await publish('20.04.10', newer)
  await use()
  assert.equal((await use(offline)).sha256, digestOf(newer))
})

test('an image that its publisher took away is still used where it is kept', async (t) => {
  const {use, servers} = await givenPublished(t, BYTES)
  await use()
  await rm(join(servers.folder, 'ubuntu-base'), {recursive: true})
  assert.equal((await use()).sha256, SHA256)
})

test('without a network and without a kept image, the servers are named', async (t) => {
  const {use, offline} = await givenPublished(t, BYTES)
  await assert.rejects(use(offline), {name: 'SourcesUnreachableError', exitCode: ExitCode.network})
})

test('a listing that is not to be trusted is not made up for by a kept image', async (t) => {
  const {use, servers} = await givenPublished(t, BYTES)
  await use()
  const path = 'ubuntu-base/releases/focal/release/SHA256SUMS'
  servers.replaceOnce(path, Buffer.from(`${'a'.repeat(64)} *x.tar.gz\n`), 9)
  await assert.rejects(use(), {exitCode: ExitCode.integrity})
})

test('a kept listing that was changed is found out without a network', async (t) => {
  const {use, offline, images} = await givenPublished(t, BYTES)
  await use()
  await writeFile(join(images, SHA256, 'evidence/SHA256SUMS'), `${SHA256} *another.tar.gz\n`)
  await assert.rejects(use(offline), {exitCode: ExitCode.integrity})
})

test('a kept image vouched for by a key that is trusted no more is not used', async (t) => {
  const {use, offline} = await givenPublished(t, BYTES)
  await use()
  const context = {...offline.context, keyrings: []}
  await assert.rejects(use({context}), {exitCode: ExitCode.integrity})
})

test('an archive of another digest than the signed one is refused and not kept', async (t) => {
  const {use, servers, images} = await givenPublished(t, BYTES)
  const path = 'ubuntu-base/releases/focal/release/ubuntu-base-20.04.5-base-amd64.tar.gz'
  servers.replaceOnce(path, randomBytes(300_000), 9)
  await assert.rejects(use(), {name: 'DigestMismatchError'})
  assert.deepEqual(
    (await readdir(images)).filter((name) => name === SHA256),
    [],
  )
})

test('a digest that the user gives has to be the published one, before anything is fetched', async (t) => {
  const {use, fetches} = await givenPublished(t, BYTES)
  await assert.rejects(use({sha256: digestOf(Buffer.from('x'))}), {name: 'DigestMismatchError'})
  assert.equal(fetches(), 0)
})

test('a kept archive whose bytes were changed is thrown away, and fetched anew the next time', async (t) => {
  const {use, images, fetches} = await givenPublished(t, BYTES)
  await use()
  await writeFile(join(images, SHA256, 'archive'), randomBytes(300_000))
  await assert.rejects(use(), {name: 'KeptImageDamagedError', exitCode: ExitCode.integrity})
  assert.equal((await use()).sha256, SHA256)
  assert.equal(fetches(), 2)
})

test('a kept archive that was cut short counts as none', async (t) => {
  const {use, images, fetches} = await givenPublished(t, BYTES)
  await use()
  await truncate(join(images, SHA256, 'archive'), 10)
  assert.equal((await use()).sha256, SHA256)
  assert.equal(fetches(), 2)
})

test('a kept image whose record is damaged is fetched anew', async (t) => {
  const {use, images} = await givenPublished(t, BYTES)
  await use()
  await writeFile(join(images, SHA256, 'image.json'), '{')
  assert.equal((await use()).sha256, SHA256)
})

test('closing before the end leaves a part that the next one goes on from', async (t) => {
  const {open, use, servers} = await givenPublished(t, randomBytes(8_000_000))
  const image = await open()
  await image.close()
  await use()
  const [first, second] = servers.server.seen.filter(({target}) => target?.endsWith('.tar.gz'))
  assert.equal(first?.headers['range'], undefined)
  assert.match(String(second?.headers['range']), /^bytes=\d+-$/)
})

test('a name that is misspelt gets the nearest ones', async (t) => {
  const {use} = await givenPublished(t, BYTES)
  await assert.rejects(use({name: 'fokal'}), {
    name: 'UnknownImageError',
    suggestions: ['Did you mean focal?', 'See the images that exist: envs image search'],
  })
})
