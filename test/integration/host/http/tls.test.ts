import assert from 'node:assert/strict'
import {mkdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {ExitCode} from '../../../../src/errors.js'
import {type Downloaded, download} from '../../../../src/host/http/download.js'
import {makeCertificate, type TestCertificate} from '../../../support/certificate.js'
import {startForwardProxy} from '../../../support/forward-proxy.js'
import {type Handler, startServer, type TestServer} from '../../../support/http-server.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const BODY = Buffer.from('the body')
const NO_OPENSSL = 'openssl(1) is not installed, and it makes the certificate'

test('a certificate nobody trusts is refused, at once and with the way out', async (t) => {
  const setting = await secureServer(t)
  if (setting === undefined) return t.skip(NO_OPENSSL)
  const {fetchFile, server} = setting
  await assert.rejects(fetchFile({}), {
    name: 'NetworkError',
    message: `The download from ${server.origin.host} failed: its certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT).`,
    suggestions: ['If your network has its own certificate authority, name its PEM file in SSL_CERT_FILE.'],
  })
  assert.equal(server.seen.length, 0)
})

test('SSL_CERT_FILE names the authorities to trust', async (t) => {
  const setting = await secureServer(t)
  if (setting === undefined) return t.skip(NO_OPENSSL)
  const {fetchFile, certificate} = setting
  assert.equal((await fetchFile({SSL_CERT_FILE: certificate.path})).sizeBytes, BODY.length)
})

test('NODE_EXTRA_CA_CERTS is not lost to SSL_CERT_FILE', async (t) => {
  const setting = await secureServer(t)
  if (setting === undefined) return t.skip(NO_OPENSSL)
  const {fetchFile, certificate, folder} = setting
  await mkdir(join(folder, 'other'))
  const other = makeCertificate(join(folder, 'other'))?.path
  const environment = {SSL_CERT_FILE: other, NODE_EXTRA_CA_CERTS: certificate.path}
  assert.equal((await fetchFile(environment)).sizeBytes, BODY.length)
})

test('a certificate file that can not be read is named with its variable', async (t) => {
  const setting = await secureServer(t)
  if (setting === undefined) return t.skip(NO_OPENSSL)
  const path = join(setting.folder, 'missing.pem')
  await assert.rejects(setting.fetchFile({SSL_CERT_FILE: path}), {
    code: 'ENVS_CERTIFICATE_FILE',
    exitCode: ExitCode.host,
    message: `Could not read the certificate file "${path}", which SSL_CERT_FILE names.`,
  })
})

test('a redirect from https to http is refused', async (t) => {
  const plain = await startServer(t, (_request, response) => response.end(BODY))
  const setting = await secureServer(t, (_request, response) => {
    response.writeHead(302, {location: plain.origin.href}).end()
  })
  if (setting === undefined) return t.skip(NO_OPENSSL)
  const {fetchFile, certificate, server} = setting
  await assert.rejects(fetchFile({SSL_CERT_FILE: certificate.path}), {
    message: `The download from ${server.origin.host} failed: it redirects from https: to http:.`,
  })
  assert.equal(plain.seen.length, 0)
})

test('https goes through a proxy by CONNECT and is checked against the same authorities', async (t) => {
  const setting = await secureServer(t)
  if (setting === undefined) return t.skip(NO_OPENSSL)
  const {fetchFile, certificate, server, destination} = setting
  const proxy = await startForwardProxy(t)
  await fetchFile({https_proxy: proxy.url.href, SSL_CERT_FILE: certificate.path})
  assert.deepEqual(proxy.lines, [`CONNECT ${server.origin.host}`])
  assert.deepEqual(await readFile(destination), BODY)
})

test('a proxy does not make an untrusted certificate trusted', async (t) => {
  const setting = await secureServer(t)
  if (setting === undefined) return t.skip(NO_OPENSSL)
  const proxy = await startForwardProxy(t)
  await assert.rejects(setting.fetchFile({https_proxy: proxy.url.href}), {name: 'NetworkError'})
})

type SecureSetting = {
  readonly server: TestServer
  readonly certificate: TestCertificate
  readonly folder: string
  readonly destination: string
  readonly fetchFile: (environment: Record<string, string | undefined>) => Promise<Downloaded>
}

/** A server whose certificate vouches for itself; undefined where none can be made. */
async function secureServer(t: TestContext, handler?: Handler): Promise<SecureSetting | undefined> {
  const folder = await temporaryFolder(t)
  const certificate = makeCertificate(folder)
  if (certificate === undefined) return undefined
  const server = await startServer(t, handler ?? ((_request, response) => response.end(BODY)), {
    tls: certificate,
  })
  const destination = join(folder, 'file')
  return {
    server,
    certificate,
    folder,
    destination,
    fetchFile: (environment) =>
      download({url: server.origin, destination, environment, maxBytes: 1000, backoffMs: 1}),
  }
}
