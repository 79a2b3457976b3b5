import assert from 'node:assert/strict'
import {createHash, randomBytes} from 'node:crypto'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {test} from 'node:test'
import {insecurely, type Misbehaviour, startFalseRegistry} from '../../support/false-registry.js'
import {answerWithFile, startServer} from '../../support/http-server.js'
import {descriptorOf, sampleImage} from '../../support/oci-image.js'
import {type ClientOptions, homeOfTester, openAs} from '../../support/registry-client.js'

const {signal} = new AbortController()
const body = randomBytes(300_000)
const image = sampleImage({layers: [body]})
const [layer = image.config] = image.layers

async function opened(t: Parameters<typeof openAs>[0], misbehave: Misbehaviour, options: ClientOptions = {}) {
  const registry = await startFalseRegistry(t, {image, misbehave})
  const repository = await openAs(t, `${registry.host}/team/x`, {settings: insecurely(registry), ...options})
  return {registry, repository}
}

for (const ignoresRanges of [false, true]) {
  test(`a connection that breaks is continued${ignoresRanges ? ' by a server without ranges' : ''}`, async (t) => {
    const client = {receivedBytes: 0}
    const {registry, repository} = await opened(t, (request, response, hit) => {
      const options = hit === 0 ? {body, breakAfterBytes: 100_000} : {body, ignoresRanges}
      answerWithFile(request, response, options, client)
      return true
    })
    const pieces: Buffer[] = []
    for await (const piece of await repository.blob(layer, {signal})) {
      pieces.push(Buffer.from(piece))
      client.receivedBytes += piece.length
    }
    assert.ok(Buffer.concat(pieces).equals(body))
    assert.deepEqual(
      registry.seen.map(({headers}) => headers['range']),
      [undefined, 'bytes=100000-'],
    )
  })
}

test('a blob whose reader goes away ends its connection', async (t) => {
  let closed: (() => void) | undefined
  const isClosed = new Promise<void>((resolve) => {
    closed = resolve
  })
  const {repository} = await opened(t, (_, response) => {
    response.once('close', () => closed?.())
    response.writeHead(200, {'content-length': body.length}).write(body.subarray(0, 1000))
    return true
  })
  const stream = await repository.blob(layer, {signal})
  stream.destroy()
  await isClosed
})

test('a blob is cancelled by its signal, with its reason', async (t) => {
  const {repository} = await opened(t, (_, response) => {
    response.writeHead(200, {'content-length': body.length}).write(body.subarray(0, 1000))
    return true
  })
  const cancel = new AbortController()
  const stream = await repository.blob(layer, {signal: cancel.signal})
  const reason = new Error('enough')
  const read = buffer(stream)
  cancel.abort(reason)
  await assert.rejects(read, reason)
})

/** A registry that takes one blob, with a place for uploads that begins each time. */
async function startUploads(
  t: Parameters<typeof openAs>[0],
  answers: {
    readonly location: (base: string) => string
    /** Status of each PUT or PATCH in turn; 0 breaks the connection. */
    readonly statuses?: readonly number[]
    /** Of the answer that begins an upload. */
    readonly headers?: Readonly<Record<string, string>>
  },
) {
  const {statuses = []} = answers
  const received = createHash('sha256')
  const sizes: number[] = []
  let turn = 0
  const server = await startServer(t, (request, response) => {
    const base = `http://${request.headers.host}`
    if (request.method === 'POST') {
      response.writeHead(202, {location: answers.location(base), ...answers.headers}).end()
      return
    }
    const status = statuses[turn++] ?? (request.method === 'PATCH' ? 202 : 201)
    if (status === 0) {
      request.once('data', () => request.destroy())
      return
    }
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (status < 400) received.update(chunk)
    })
    request.once('end', () => {
      sizes.push(size)
      response.writeHead(status, {location: answers.location(base)}).end()
    })
  })
  return {
    host: server.origin.host,
    requests: () => server.seen.map(({method, target}) => `${method} ${target}`),
    seen: server.seen,
    sizes,
    digest: () => `sha256:${received.copy().digest('hex')}`,
  }
}

const opening = () => Readable.from([body], {objectMode: false})

test('an upload goes where the registry says, with its query as it was written', async (t) => {
  const registry = await startUploads(t, {location: () => '../uploads/1?_state=a%2Bb%3D'})
  const repository = await openAs(t, `${registry.host}/team/x`, {
    settings: insecurely(registry),
    actions: 'pull,push',
  })
  await repository.pushBlob(layer, opening)
  assert.deepEqual(registry.requests(), [
    'POST /v2/team/x/blobs/uploads/',
    `PUT /v2/team/x/blobs/uploads/1?_state=a%2Bb%3D&digest=${encodeURIComponent(layer.digest)}`,
  ])
  assert.equal(registry.digest(), layer.digest)
  assert.equal(registry.seen[1]?.headers['content-length'], String(body.length))
})

test('an upload that breaks starts again', async (t) => {
  const registry = await startUploads(t, {location: (base) => `${base}/upload/1`, statuses: [0, 503, 201]})
  const repository = await openAs(t, `${registry.host}/team/x`, {
    settings: insecurely(registry),
    actions: 'pull,push',
  })
  await repository.pushBlob(layer, opening)
  assert.equal(registry.digest(), layer.digest)
  assert.equal(registry.requests().filter((each) => each.startsWith('POST')).length, 3)
})

test('a blob that is too large for a proxy goes in chunks', async (t) => {
  const large = randomBytes(9_000_000)
  const registry = await startUploads(t, {location: (base) => `${base}/upload/1?a=b`, statuses: [413]})
  const repository = await openAs(t, `${registry.host}/team/x`, {
    settings: insecurely(registry),
    actions: 'pull,push',
  })
  const descriptor = descriptorOf(large, '')
  await repository.pushBlob(descriptor, () =>
    Readable.from([large.subarray(0, 8_500_000), large.subarray(8_500_000)]),
  )
  assert.equal(registry.digest(), descriptor.digest)
  const ranges = registry.seen.flatMap(({method, headers}) =>
    method === 'PATCH' ? [headers['content-range']] : [],
  )
  assert.deepEqual(ranges, ['0-8499999', '8500000-8999999'])
})

for (const least of ['1000000000000', 'many']) {
  test(`a registry that asks for chunks of at least ${least} bytes is refused`, async (t) => {
    const registry = await startUploads(t, {
      location: (base) => `${base}/upload/1`,
      statuses: [413],
      headers: {'oci-chunk-min-length': least},
    })
    const repository = await openAs(t, `${registry.host}/team/x`, {
      settings: insecurely(registry),
      actions: 'pull,push',
    })
    await assert.rejects(repository.pushBlob(layer, opening), {code: 'ENVS_REGISTRY_UNREACHABLE'})
    assert.equal(registry.requests().filter((each) => each.startsWith('PATCH')).length, 0)
  })
}

test('an upload to a storage at another host carries no password', async (t) => {
  const storage = await startUploads(t, {location: (base) => base})
  const registry = await startFalseRegistry(t, {
    misbehave(request, response) {
      if (request.headers.authorization === undefined)
        response.writeHead(401, {'www-authenticate': 'Basic realm="x"'}).end()
      else response.writeHead(202, {location: `http://${storage.host}/put?signature=x`}).end()
      return true
    },
  })
  const repository = await openAs(t, `${registry.host}/team/x`, {
    home: await homeOfTester(t, registry.host),
    settings: insecurely(registry),
    actions: 'pull,push',
  })
  await repository.pushBlob(layer, opening)
  assert.deepEqual(
    storage.seen.map(({method, headers}) => [method, headers['authorization']]),
    [['PUT', undefined]],
  )
})

test('an error of the bytes to upload is that error', async (t) => {
  const registry = await startUploads(t, {location: (base) => `${base}/upload/1`})
  const repository = await openAs(t, `${registry.host}/team/x`, {
    settings: insecurely(registry),
    actions: 'pull,push',
  })
  const broken = new Error('the disk is gone')
  const failing = () =>
    Readable.from(
      (async function* () {
        yield body.subarray(0, 1000)
        throw broken
      })(),
      {objectMode: false},
    )
  await assert.rejects(repository.pushBlob(layer, failing), broken)
})

for (const [title, headers, message] of [
  [
    'none of the counted pulls is left',
    {'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600'},
    '0 of 100 pulls are left of those for 6 hours',
  ],
  ['the wait is long', {'retry-after': '600'}, 'it asks for a wait of 10 minutes'],
] as const) {
  test(`a registry that counts requests is asked once if ${title}`, async (t) => {
    const {registry, repository} = await opened(t, (_, response) => {
      response.writeHead(429, headers).end()
      return true
    })
    await assert.rejects(repository.manifest('1'), {
      code: 'ENVS_REGISTRY_RATE_LIMITED',
      exitCode: 5,
      message: `${registry.host} allows no more requests for now: ${message}.`,
      suggestions: [
        `Sign in, because accounts have a higher limit: podman login ${registry.host}, or docker login ${registry.host}`,
        `Or use a mirror: envs config set registries.mirrors ${registry.host}=https://MIRROR`,
      ],
    })
    assert.equal(registry.requests().length, 1)
  })
}

test('a registry that asks for a short wait is asked again', async (t) => {
  const waits: number[] = []
  const {repository} = await opened(
    t,
    (_, response, hit) => {
      if (hit > 0) return false
      response.writeHead(429, {'retry-after': '0'}).end()
      return true
    },
    {onProgress: (event) => event.stage === 'download-retry' && waits.push(event.waitMs)},
  )
  assert.equal((await repository.manifest('1')).digest, image.digest)
  assert.deepEqual(waits, [0])
})
