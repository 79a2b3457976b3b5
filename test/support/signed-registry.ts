import type {Scope} from './cli.js'
import {fixture} from './fixture.js'
import {startServer, type TestServer} from './http-server.js'

type Stored = {
  readonly tags: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly manifests: Readonly<Record<string, {readonly mediaType: string; readonly text: string}>>
  readonly blobs: Readonly<Record<string, string>>
  readonly layers: Readonly<Record<string, string>>
}

const stored: Stored = JSON.parse(fixture('signatures/registry.json').toString())

/**
 * A registry with the images of test/fixtures/signatures: their manifests, layers and signatures, as Debian's docker-registry had
 * them. It has no list of referrers, as that one.
 */
export function startSignedRegistry(t: Scope): Promise<TestServer & {readonly host: string}> {
  return startServer(t, (request, response) => {
    const {
      name = '',
      kind,
      which = '',
    } = /^\/v2\/(?<name>.+)\/(?<kind>manifests|blobs|referrers)\/(?<which>[^/?]+)/.exec(request.url ?? '')
      ?.groups ?? {}
    if (request.url === '/v2/') return response.end()
    if (kind === 'manifests') {
      const digest = which.startsWith('sha256:') ? which : stored.tags[name]?.[which]
      const manifest = stored.manifests[digest ?? '']
      if (digest !== undefined && manifest !== undefined)
        return response
          .writeHead(200, {
            'content-type': manifest.mediaType,
            'docker-content-digest': digest,
            'content-length': Buffer.byteLength(manifest.text),
          })
          .end(request.method === 'HEAD' ? undefined : manifest.text)
    }
    const text = kind === 'blobs' ? stored.blobs[which] : undefined
    const layer = kind === 'blobs' ? stored.layers[which] : undefined
    if (text !== undefined) return response.end(text)
    if (layer !== undefined) return response.end(Buffer.from(layer, 'base64'))
    return response
      .writeHead(404, {'content-type': 'application/json'})
      .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}')
  }).then((server) => ({...server, host: server.origin.host}))
}
