import type {IncomingMessage, ServerResponse} from 'node:http'
import type {RegistryOptions} from '../../src/registry/connection.js'
import {makeCertificate, type TestCertificate} from './certificate.js'
import type {Scope} from './cli.js'
import {answerWithFile, type Seen, startServer} from './http-server.js'
import type {SampleImage} from './oci-image.js'
import {temporaryFolder} from './temporary-folder.js'

/** Answers a request in the place of an honest registry; false leaves it to that. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse, hit: number) => boolean

export type FalseRegistry = {
  readonly host: string
  readonly origin: URL
  /** What came, as `GET /v2/…`. */
  readonly requests: () => readonly string[]
  readonly seen: readonly Seen[]
}

export type FalseOptions = {
  /** Served under each tag and under its digest. */
  readonly image?: SampleImage
  readonly misbehave?: Misbehaviour
  /** Speaks TLS with this certificate. */
  readonly tls?: TestCertificate
}

/** A small registry on the loopback that can read only, and lie as it is told to. */
export async function startFalseRegistry(
  t: Scope,
  {image, misbehave = () => false, tls}: FalseOptions = {},
): Promise<FalseRegistry> {
  const {origin, seen} = await startServer(
    t,
    (request, response, hit) => {
      request.resume()
      if (!misbehave(request, response, hit)) answerHonestly(request, response, image)
    },
    tls === undefined ? {} : {tls},
  )
  return {
    host: origin.host,
    origin,
    requests: () => seen.map(({method, target}) => `${method} ${target}`),
    seen,
  }
}

function answerHonestly(
  request: IncomingMessage,
  response: ServerResponse,
  image: SampleImage | undefined,
): void {
  const {kind, name = ''} =
    /^\/v2\/.+\/(?<kind>manifests|blobs)\/(?<name>[^/?]+)$/.exec(request.url ?? '')?.groups ?? {}
  if (kind === 'manifests' && image !== undefined && (name === image.digest || !name.includes(':'))) {
    response.writeHead(200, {'content-type': image.mediaType, 'docker-content-digest': image.digest})
    response.end(image.manifest)
    return
  }
  const body = image?.blobs.get(name as `sha256:${string}`)
  if (kind === 'blobs' && body !== undefined) answerWithFile(request, response, {body})
  else response.writeHead(404, {'content-type': 'application/json'}).end('{"errors":[]}')
}

/** A certificate of 127.0.0.1, in a file of the test's own. */
export async function loopbackCertificate(t: Scope): Promise<TestCertificate> {
  const certificate = makeCertificate(await temporaryFolder(t))
  if (certificate === undefined) throw new Error('openssl is missing: install openssl')
  return certificate
}

/** The variables of a user who trusts a certificate everywhere. */
export function trusting({path}: TestCertificate): {
  readonly NODE_EXTRA_CA_CERTS: string
  readonly SSL_CERT_FILE: string
} {
  return {NODE_EXTRA_CA_CERTS: path, SSL_CERT_FILE: path}
}

/** Settings of a user who reaches registries over plain HTTP. */
export function insecurely(
  ...registries: readonly {readonly host: string}[]
): Partial<RegistryOptions['settings']> {
  return {insecure: registries.map(({host}) => host)}
}
