import assert from 'node:assert/strict'
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

const image = sampleImage()

/** Wants a bearer token of a service. */
function withRealm(realm: () => string): Misbehaviour {
  return (request, response) => {
    if (request.headers.authorization === 'Bearer good') return false
    response.writeHead(401, {'www-authenticate': `Bearer realm="${realm()}",service="s"`}).end()
    return true
  }
}

/** A token service that takes anybody. */
function giving(token: string): Misbehaviour {
  return (_, response) => {
    response.end(JSON.stringify({token}))
    return true
  }
}

test('a token service over plain HTTP gets no password of a registry with TLS', async (t) => {
  const tls = await loopbackCertificate(t)
  const service = await startFalseRegistry(t, {misbehave: giving('good')})
  const registry = await startFalseRegistry(t, {
    image,
    tls,
    misbehave: withRealm(() => `${service.origin}token`),
  })
  const repository = await openAs(t, `${registry.host}/team/x`, {
    home: await homeOfTester(t, registry.host),
    environment: trusting(tls),
  })
  await assert.rejects(repository.manifest('1'), {
    code: 'ENVS_REGISTRY_UNSAFE_SIGN_IN',
    exitCode: 6,
    message: `${registry.host} sends its sign-in to an unsafe place: ${service.host} is asked by http:.`,
  })
  assert.deepEqual(service.requests(), [])
})

for (const [title, realm, reason] of [
  ['a file', 'file:///etc/passwd', ' is asked by file:'],
  ['a URL with a user', 'https://user@localhost/', 'its URL has a user name'],
  ['no URL', 'token', 'it is not a URL'],
] as const) {
  test(`${title} is no token service`, async (t) => {
    const registry = await startFalseRegistry(t, {misbehave: withRealm(() => realm)})
    const repository = await openAs(t, `${registry.host}/team/x`, {settings: insecurely(registry)})
    await assert.rejects(repository.manifest('1'), {
      code: 'ENVS_REGISTRY_UNSAFE_SIGN_IN',
      message: `${registry.host} sends its sign-in to an unsafe place: ${reason}.`,
    })
  })
}

test('a registry over plain HTTP may have its token service there too', async (t) => {
  const service = await startFalseRegistry(t, {misbehave: giving('good')})
  const registry = await startFalseRegistry(t, {image, misbehave: withRealm(() => `${service.origin}token`)})
  const repository = await openAs(t, `${registry.host}/team/x`, {settings: insecurely(registry)})
  assert.equal((await repository.manifest('1')).digest, image.digest)
  assert.deepEqual(service.requests(), ['GET /token?service=s&scope=repository%3Ateam%2Fx%3Apull'])
})

test('a token that would end its header is no token', async (t) => {
  const service = await startFalseRegistry(t, {misbehave: giving('good\r\nhost: other')})
  const registry = await startFalseRegistry(t, {image, misbehave: withRealm(() => `${service.origin}token`)})
  const repository = await openAs(t, `${registry.host}/team/x`, {settings: insecurely(registry)})
  await assert.rejects(repository.manifest('1'), {
    code: 'ENVS_REGISTRY_UNREACHABLE',
    message: `The registry ${service.host} failed: its answer holds no token.`,
  })
})

test('a registry that refuses each token is asked three times, and no more', async (t) => {
  const service = await startFalseRegistry(t, {misbehave: giving('bad')})
  const registry = await startFalseRegistry(t, {image, misbehave: withRealm(() => `${service.origin}token`)})
  const repository = await openAs(t, `${registry.host}/team/x`, {settings: insecurely(registry)})
  await assert.rejects(repository.head('1'), {code: 'ENVS_REGISTRY_UNAUTHORIZED'})
  assert.equal(registry.requests().length, 3)
  assert.equal(service.requests().length, 2)
})
