import assert from 'node:assert/strict'
import {buffer} from 'node:stream/consumers'
import {test} from 'node:test'
import {parseManifest} from '../../../src/registry/manifest.js'
import {insecurely, type Misbehaviour, startFalseRegistry} from '../../support/false-registry.js'
import {sampleImage} from '../../support/oci-image.js'
import {type ClientOptions, openAs} from '../../support/registry-client.js'

const {signal} = new AbortController()
const image = sampleImage()
const other = sampleImage({layers: [Buffer.from('another layer')]})
const [layer = image.config] = image.layers

async function opened(t: Parameters<typeof openAs>[0], misbehave: Misbehaviour, options: ClientOptions = {}) {
  const registry = await startFalseRegistry(t, {image, misbehave})
  const repository = await openAs(t, `${registry.host}/team/x`, {settings: insecurely(registry), ...options})
  return {registry, repository}
}

test('a manifest with another digest than the wanted one is refused', async (t) => {
  const {registry, repository} = await opened(t, (_, response) => {
    // The header says that the digest is right.
    response.writeHead(200, {'content-type': image.mediaType, 'docker-content-digest': image.digest})
    response.end(other.manifest)
    return true
  })
  await assert.rejects(repository.manifest(image.digest), {
    code: 'ENVS_DIGEST_MISMATCH',
    exitCode: 6,
    message: `The SHA-256 digest of ${registry.host}/team/x is ${other.digest}, not ${image.digest}.`,
  })
})

test('the digest of a tag is that of the bytes, whatever the registry states', async (t) => {
  const {repository} = await opened(t, (_, response) => {
    response.writeHead(200, {'content-type': image.mediaType, 'docker-content-digest': other.digest})
    response.end(image.manifest)
    return true
  })
  assert.equal((await repository.manifest('1')).digest, image.digest)
})

test('a manifest that is sent as an index is refused', async (t) => {
  const {repository} = await opened(t, (_, response) => {
    response.writeHead(200, {'content-type': 'application/vnd.oci.image.index.v1+json'})
    response.end(image.manifest)
    return true
  })
  const {bytes, mediaType} = await repository.manifest('1')
  assert.throws(() => parseManifest(bytes, mediaType), {code: 'ENVS_BAD_MANIFEST', exitCode: 6})
})

for (const [title, headers] of [
  ['announced', {'content-length': String(5 * 2 ** 20)}],
  ['sent in chunks', {}],
] as const) {
  test(`a manifest of 5 MiB, ${title}, is not read to its end`, async (t) => {
    const {repository} = await opened(t, (_, response) => {
      response.writeHead(200, {'content-type': image.mediaType, ...headers})
      response.end(Buffer.alloc(5 * 2 ** 20, ' '))
      return true
    })
    await assert.rejects(repository.manifest('1'), {code: 'ENVS_UNEXPECTED_SIZE', exitCode: 6})
  })
}

for (const [title, headers, body] of [
  ['announced', {'content-length': '10'}, Buffer.alloc(10)],
  ['sent in chunks', {}, Buffer.alloc(1000)],
] as const) {
  test(`a blob that is longer than its manifest says, ${title}, is refused`, async (t) => {
    const {repository} = await opened(t, (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false
      response.writeHead(200, headers)
      response.end(body)
      return true
    })
    await assert.rejects(async () => buffer(await repository.blob(layer, {signal})), {
      code: 'ENVS_UNEXPECTED_SIZE',
      exitCode: 6,
    })
  })
}

test('a blob that is shorter than its manifest says is refused', async (t) => {
  const {registry, repository} = await opened(t, (request, response) => {
    if (request.url?.includes('/blobs/') !== true) return false
    response.end()
    return true
  })
  await assert.rejects(repository.blob(layer, {signal}), {
    code: 'ENVS_UNEXPECTED_SIZE',
  })
  assert.deepEqual(registry.requests(), [`GET /v2/team/x/blobs/${layer.digest}`])
})

test('a registry that accepts requests, and answers none, is given up', async (t) => {
  const {registry, repository} = await opened(t, () => true, {idleMs: 50})
  await assert.rejects(repository.head('1'), {
    code: 'ENVS_REGISTRY_UNREACHABLE',
    exitCode: 5,
    message: `The registry ${registry.host} failed: it sent nothing for too long.`,
  })
  assert.equal(registry.requests().length, 3)
})

test('a registry that sends a byte now and then is given up', async (t) => {
  const {repository} = await opened(
    t,
    (_, response) => {
      response.writeHead(200, {'content-length': String(layer.size)})
      const timer = setInterval(() => response.write('x'), 20)
      response.once('close', () => clearInterval(timer))
      return true
    },
    {leastPace: {bytes: 1000, withinMs: 60}},
  )
  await assert.rejects(async () => buffer(await repository.blob(layer, {signal})), {
    code: 'ENVS_REGISTRY_UNREACHABLE',
    message: /it sent only [1-9] bytes in 0 seconds\.$/,
  })
})

test('a registry without an end of its redirects is given up', async (t) => {
  const {repository} = await opened(t, (request, response) => {
    response.writeHead(307, {location: `${request.url}x`}).end()
    return true
  })
  await assert.rejects(repository.manifest('1'), {
    code: 'ENVS_NETWORK',
    message: /redirects more than 10 times/,
  })
})

test('a list whose next page is at another host ends', async (t) => {
  const elsewhere = await startFalseRegistry(t)
  const {repository} = await opened(t, (_, response) => {
    response.writeHead(200, {link: `<${elsewhere.origin}v2/x/tags/list>; rel="next"`})
    response.end(JSON.stringify({name: 'team/x', tags: ['1', '../2', '\u001b[2J', '']}))
    return true
  })
  assert.deepEqual(await repository.tags(), ['1'])
  assert.deepEqual(elsewhere.requests(), [])
})

test('words of a registry do not reach the terminal as they are', async (t) => {
  const {registry, repository} = await opened(t, (_, response) => {
    response
      .writeHead(400)
      .end(JSON.stringify({errors: [{code: 'BAD', message: `\u001b[2J${'x'.repeat(500)}`}]}))
    return true
  })
  await assert.rejects(repository.manifest('1'), {
    message: `The registry ${registry.host} failed: it answered with status 400 (BAD:  [2J${'x'.repeat(191)}).`,
  })
})
