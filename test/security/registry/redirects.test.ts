import assert from 'node:assert/strict'
import {buffer} from 'node:stream/consumers'
import {test} from 'node:test'
import {
  insecurely,
  loopbackCertificate,
  type Misbehaviour,
  startFalseRegistry,
  trusting,
} from '../../support/false-registry.js'
import {sampleImage} from '../../support/oci-image.js'
import {homeOfTester, openAs} from '../../support/registry-client.js'

const {signal} = new AbortController()
const image = sampleImage({layers: [Buffer.from('a layer of some bytes')]})
const [layer = image.config] = image.layers

const isSignedIn: (header: string | undefined) => boolean = (header) => header?.startsWith('Basic ') === true

/** Wants a password, and sends blobs from another host. */
function redirecting(to: () => URL): Misbehaviour {
  return (request, response) => {
    if (!isSignedIn(request.headers.authorization)) {
      response.writeHead(401, {'www-authenticate': 'Basic realm="x"'}).end()
      return true
    }
    if (request.url?.includes('/blobs/') !== true) return false
    response.writeHead(307, {location: new URL(request.url, to()).href}).end()
    return true
  }
}

test('the password of a registry does not follow a redirect to another host', async (t) => {
  const tls = await loopbackCertificate(t)
  const storage = await startFalseRegistry(t, {image, tls})
  const registry = await startFalseRegistry(t, {image, tls, misbehave: redirecting(() => storage.origin)})
  const home = await homeOfTester(t, registry.host)
  const repository = await openAs(t, `${registry.host}/team/x`, {home, environment: trusting(tls)})
  const body = await buffer(await repository.blob(layer, {offset: 2, signal}))
  assert.equal(body.toString(), 'layer of some bytes')
  assert.deepEqual(
    storage.seen.map(({headers}) => [headers['authorization'], headers['range']]),
    [[undefined, 'bytes=2-']],
  )
})

test('nor does it answer a question of that host', async (t) => {
  const tls = await loopbackCertificate(t)
  const thief = await startFalseRegistry(t, {
    tls,
    misbehave(_, response) {
      response.writeHead(401, {'www-authenticate': 'Basic realm="x"'}).end()
      return true
    },
  })
  const registry = await startFalseRegistry(t, {image, tls, misbehave: redirecting(() => thief.origin)})
  const home = await homeOfTester(t, registry.host, thief.host)
  const repository = await openAs(t, `${registry.host}/team/x`, {home, environment: trusting(tls)})
  await assert.rejects(repository.blob(layer, {signal}), {code: 'ENVS_REGISTRY_UNAUTHORIZED'})
  assert.deepEqual(
    thief.seen.map(({headers}) => headers['authorization']),
    [undefined],
  )
})

test('a redirect from HTTPS to HTTP is refused', async (t) => {
  const tls = await loopbackCertificate(t)
  const storage = await startFalseRegistry(t, {image})
  const registry = await startFalseRegistry(t, {image, tls, misbehave: redirecting(() => storage.origin)})
  const repository = await openAs(t, `${registry.host}/team/x`, {
    home: await homeOfTester(t, registry.host),
    environment: trusting(tls),
    settings: insecurely(storage),
  })
  await assert.rejects(repository.blob(layer, {signal}), {
    code: 'ENVS_NETWORK',
    message: `The download from ${registry.host} failed: it redirects from https: to http:.`,
  })
  assert.deepEqual(storage.requests(), [])
})

test('an insecure registry does not make the hosts insecure that it leads to', async (t) => {
  const tls = await loopbackCertificate(t)
  const storage = await startFalseRegistry(t, {image, tls})
  const registry = await startFalseRegistry(t, {image, tls, misbehave: redirecting(() => storage.origin)})
  const repository = await openAs(t, `${registry.host}/team/x`, {
    home: await homeOfTester(t, registry.host),
    settings: insecurely(registry),
  })
  await assert.rejects(repository.blob(layer, {signal}), {
    code: 'ENVS_REGISTRY_UNREACHABLE',
    message: `The registry ${storage.host} failed: its certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT).`,
  })
})

test('foreign layers are asked of the registry, and of no place that a manifest names', async (t) => {
  const elsewhere = await startFalseRegistry(t, {image})
  const foreign = sampleImage({
    fields: {
      layers: image.layers.map((each) => ({
        ...each,
        urls: [new URL('/v2/x/blobs/layer', elsewhere.origin).href],
      })),
    },
  })
  const registry = await startFalseRegistry(t, {image: {...foreign, blobs: new Map()}})
  const repository = await openAs(t, `${registry.host}/team/x`, {settings: insecurely(registry)})
  await repository.manifest('latest')
  await assert.rejects(repository.blob(layer, {signal}), {code: 'ENVS_NOT_IN_REGISTRY'})
  assert.deepEqual(elsewhere.requests(), [])
})
