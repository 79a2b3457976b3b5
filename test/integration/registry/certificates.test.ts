import assert from 'node:assert/strict'
import {createServer} from 'node:https'
import type {AddressInfo} from 'node:net'
import {type TestContext, test} from 'node:test'
import {loopbackCertificate, startFalseRegistry} from '../../support/false-registry.js'
import {startForwardProxy} from '../../support/forward-proxy.js'
import {sampleImage} from '../../support/oci-image.js'
import {openAs, writeHomeFile} from '../../support/registry-client.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const image = sampleImage()

for (const folder of ['.config/containers/certs.d', '.config/docker/certs.d', '.docker/certs.d', 'own']) {
  test(`an authority in ${folder} counts for its host`, async (t) => {
    const tls = await loopbackCertificate(t)
    const [registry, other] = [
      await startFalseRegistry(t, {image, tls}),
      await startFalseRegistry(t, {image, tls}),
    ]
    const home = await temporaryFolder(t)
    await writeHomeFile(home, `${folder}/${registry.host}/our.crt`, tls.cert)
    const options = {home, settings: folder === 'own' ? {certificates: `${home}/own`} : {}}
    const repository = await openAs(t, `${registry.host}/team/x`, options)
    assert.equal((await repository.manifest('1')).digest, image.digest)
    const stranger = await openAs(t, `${other.host}/team/x`, options)
    await assert.rejects(stranger.manifest('1'), {code: 'ENVS_REGISTRY_UNREACHABLE'})
  })
}

test('the authority of a registry counts for the storage that it leads to', async (t) => {
  const tls = await loopbackCertificate(t)
  const storage = await startFalseRegistry(t, {image, tls})
  const registry = await startFalseRegistry(t, {
    tls,
    misbehave(request, response) {
      response.writeHead(307, {location: new URL(request.url ?? '', storage.origin).href}).end()
      return true
    },
  })
  const home = await temporaryFolder(t)
  await writeHomeFile(home, `.config/containers/certs.d/${registry.host}/ca.crt`, tls.cert)
  const repository = await openAs(t, `${registry.host}/team/x`, {home})
  assert.equal((await repository.manifest('1')).digest, image.digest)
})

test('an authority of a host counts for it behind a proxy too', async (t) => {
  const tls = await loopbackCertificate(t)
  const registry = await startFalseRegistry(t, {image, tls})
  const proxy = await startForwardProxy(t)
  const home = await temporaryFolder(t)
  await writeHomeFile(home, `.config/containers/certs.d/${registry.host}/ca.crt`, tls.cert)
  const environment = {https_proxy: proxy.url.href}
  const repository = await openAs(t, `${registry.host}/team/x`, {home, environment})
  assert.equal((await repository.manifest('1')).digest, image.digest)
  assert.deepEqual(proxy.lines, [`CONNECT ${registry.host}`])
})

test('a certificate without its key is named', async (t) => {
  const tls = await loopbackCertificate(t)
  const registry = await startFalseRegistry(t, {image, tls})
  const home = await temporaryFolder(t)
  const folder = `.config/containers/certs.d/${registry.host}`
  await writeHomeFile(home, `${folder}/client.cert`, tls.cert)
  const repository = await openAs(t, `${registry.host}/team/x`, {home})
  await assert.rejects(repository.manifest('1'), {
    code: 'ENVS_CERTIFICATE_FILE',
    message: `Could not read "${home}/${folder}/client.key", a certificate of a registry: no such file or directory.`,
  })
})

/** A server that tells who its client is, and answers with a redirect or with the image. */
async function startAsking(t: TestContext, redirect?: () => string) {
  const tls = await loopbackCertificate(t)
  const names: (string | undefined)[] = []
  const server = createServer({...tls, requestCert: true, rejectUnauthorized: false}, (request, response) => {
    const {subject}: {subject?: {CN?: unknown}} =
      'getPeerCertificate' in request.socket && typeof request.socket.getPeerCertificate === 'function'
        ? request.socket.getPeerCertificate()
        : {}
    names.push(subject === undefined ? undefined : String(subject.CN))
    if (redirect !== undefined) response.writeHead(307, {location: redirect()}).end()
    else response.writeHead(200, {'content-type': image.mediaType}).end(image.manifest)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(async () => {
    server.close()
    server.closeAllConnections()
  })
  return {tls, names, host: `127.0.0.1:${(server.address() as AddressInfo).port}`}
}

test("a client's certificate is for its own host alone", async (t) => {
  const storage = await startAsking(t)
  const registry = await startAsking(t, () => `https://${storage.host}/manifest`)
  const home = await temporaryFolder(t)
  const folder = `.config/containers/certs.d/${registry.host}`
  await writeHomeFile(home, `${folder}/ca.crt`, `${registry.tls.cert}\n${storage.tls.cert}`)
  await writeHomeFile(home, `${folder}/client.cert`, registry.tls.cert)
  await writeHomeFile(home, `${folder}/client.key`, registry.tls.key)
  const repository = await openAs(t, `${registry.host}/team/x`, {home})
  assert.equal((await repository.manifest('1')).digest, image.digest)
  assert.deepEqual(registry.names, ['localhost'])
  assert.deepEqual(storage.names, [undefined])
})
