import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {buffer} from 'node:stream/consumers'
import {test} from 'node:test'
import type {RegistryOptions} from '../../../src/registry/connection.js'
import {type FalseRegistry, type Misbehaviour, startFalseRegistry} from '../../support/false-registry.js'
import {answerWithFile} from '../../support/http-server.js'
import {sampleImage} from '../../support/oci-image.js'
import {homeOfTester, openAs} from '../../support/registry-client.js'

const {signal} = new AbortController()
const image = sampleImage({layers: [randomBytes(200_000)]})
const [layer = image.config] = image.layers

function mirrored(
  registry: FalseRegistry,
  ...folders: readonly string[]
): Partial<RegistryOptions['settings']> {
  return {insecure: [registry.host], mirrors: folders.map((folder) => ({host: registry.host, folder}))}
}

const refusing =
  (status: number): Misbehaviour =>
  (_, response) => {
    response.writeHead(status).end()
    return true
  }

test('a mirror is asked in place of its registry, below its own folder', async (t) => {
  const [registry, mirror] = [await startFalseRegistry(t, {image}), await startFalseRegistry(t, {image})]
  const settings = mirrored(registry, `${mirror.origin}proxy/hub`)
  const repository = await openAs(t, `${registry.host}/team/x:1`, {settings})
  await repository.manifest(undefined)
  await repository.blob(layer, {signal}).then(buffer)
  assert.deepEqual(mirror.requests(), [
    'GET /v2/proxy/hub/team/x/manifests/1',
    `GET /v2/proxy/hub/team/x/blobs/${layer.digest}`,
  ])
  assert.deepEqual(registry.requests(), [])
  assert.equal(repository.answeredBy, mirror.host)
})

for (const status of [401, 403, 404, 429, 500]) {
  test(`a mirror that answers with ${status} is passed over`, async (t) => {
    const registry = await startFalseRegistry(t, {image})
    const mirror = await startFalseRegistry(t, {misbehave: refusing(status)})
    const told: string[] = []
    const repository = await openAs(t, `${registry.host}/team/x:1`, {
      settings: mirrored(registry, mirror.origin.href),
      onProgress: (event) => told.push(event.stage === 'download-retry' ? event.reason : event.stage),
    })
    assert.equal((await repository.manifest(undefined)).digest, image.digest)
    assert.equal(repository.answeredBy, registry.host)
    assert.equal(mirror.requests().length, 1)
    assert.equal(told.length, 1)
    assert.match(told[0] ?? '', new RegExp(`^${mirror.host} was passed over: `))
  })
}

test('a mirror that is down is passed over, and the next is asked', async (t) => {
  const [registry, second] = [await startFalseRegistry(t, {image}), await startFalseRegistry(t, {image})]
  // Nothing listens on port 1 of the loopback.
  const settings = mirrored(registry, 'http://127.0.0.1:1', second.origin.href)
  const repository = await openAs(t, `${registry.host}/team/x:1`, {settings})
  await repository.manifest(undefined)
  assert.equal(repository.answeredBy, second.host)
})

test('a mirror with wrong bytes is an error, and not passed over', async (t) => {
  const registry = await startFalseRegistry(t, {image})
  const mirror = await startFalseRegistry(t, {
    misbehave(_, response) {
      response.writeHead(200, {'content-type': image.mediaType}).end('{}')
      return true
    },
  })
  const settings = mirrored(registry, mirror.origin.href)
  const repository = await openAs(t, `${registry.host}/team/x`, {settings})
  await assert.rejects(repository.manifest(image.digest), {code: 'ENVS_DIGEST_MISMATCH'})
  assert.deepEqual(registry.requests(), [])
})

test('a mirror gets no password of its registry', async (t) => {
  const registry = await startFalseRegistry(t, {image})
  const mirror = await startFalseRegistry(t, {
    misbehave(_, response) {
      response.writeHead(401, {'www-authenticate': 'Basic realm="x"'}).end()
      return true
    },
  })
  const repository = await openAs(t, `${registry.host}/team/x`, {
    home: await homeOfTester(t, registry.host),
    settings: mirrored(registry, mirror.origin.href),
  })
  await repository.manifest('1')
  assert.deepEqual(
    mirror.seen.map(({headers}) => headers['authorization']),
    [undefined],
  )
})

test('digests and signatures that a mirror does not have are asked of the registry', async (t) => {
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const signatures = {schemaVersion: 2, mediaType, manifests: [image.config]}
  const registry = await startFalseRegistry(t, {
    image,
    misbehave(request, response) {
      if (request.url?.includes('/referrers/') !== true) return false
      response.writeHead(200, {'content-type': mediaType}).end(JSON.stringify(signatures))
      return true
    },
  })
  const empty = await startFalseRegistry(t)
  const copy = await startFalseRegistry(t, {
    misbehave(request, response) {
      if (request.url?.includes('/referrers/') !== true) return false
      response.writeHead(200, {'content-type': mediaType})
      response.end(JSON.stringify({...signatures, manifests: []}))
      return true
    },
  })
  const open = (mirror: FalseRegistry) =>
    openAs(t, `${registry.host}/team/x`, {settings: mirrored(registry, mirror.origin.href)})
  assert.equal(await (await open(empty)).head('1'), image.digest)
  assert.deepEqual(await (await open(copy)).referrers(image.digest), [image.config])
})

test('a layer that breaks off at a mirror is continued at the registry', async (t) => {
  const registry = await startFalseRegistry(t, {image})
  const client = {receivedBytes: 0}
  const body = image.blobs.get(layer.digest) ?? Buffer.alloc(0)
  const mirror = await startFalseRegistry(t, {
    image,
    misbehave(request, response) {
      if (request.url?.includes('/blobs/') !== true) return false
      answerWithFile(request, response, {body, breakAfterBytes: 50_000}, client)
      return true
    },
  })
  const settings = mirrored(registry, mirror.origin.href)
  const repository = await openAs(t, `${registry.host}/team/x`, {settings})
  const pieces: Buffer[] = []
  for await (const piece of await repository.blob(layer, {signal})) {
    pieces.push(Buffer.from(piece))
    client.receivedBytes += piece.length
  }
  assert.ok(Buffer.concat(pieces).equals(body))
  assert.deepEqual(
    registry.seen.map(({headers}) => headers['range']),
    ['bytes=50000-'],
  )
})
