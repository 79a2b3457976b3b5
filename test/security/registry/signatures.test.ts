import assert from 'node:assert/strict'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {Descriptor} from '../../../src/registry/descriptor.js'
import {
  BUNDLE_TYPE,
  HOST,
  INDEX,
  makeKey,
  payloadFor,
  statementFor,
  type TestRepository,
  testRepository,
  verified,
} from '../../support/signed-images.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const key = makeKey('p256')
const stranger = makeKey('p256')

async function judged(t: TestContext, source: TestRepository) {
  const path = join(await temporaryFolder(t), 'key.pub')
  writeFileSync(path, key.pem)
  return verified({source, name: 'a/b:1', verify: [path]})
}

function good(source: TestRepository): Descriptor {
  return key.layer(source, payloadFor(`${HOST}/a/b`))
}

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json'

/** None of them is good, and a registry could store each of them. */
const ATTACHED: readonly {title: string; layer: (source: TestRepository) => Descriptor}[] = [
  {
    title: 'a payload of 100 MB by its descriptor',
    layer: (source) => ({...good(source), size: 100_000_000}),
  },
  {
    title: 'a payload that is longer than its descriptor says',
    layer: (source) => ({...good(source), size: 10}),
  },
  {
    title: 'a payload of another digest',
    layer: (source) => {
      const layer = good(source)
      // The repository answers for this digest with these bytes.
      const blob = source.blob
      const other = source.put(JSON.stringify(payloadFor(`${HOST}/a/b`)).replace('null', '{} '), PAYLOAD_TYPE)
      source.blob = (descriptor, options) =>
        blob(descriptor.digest === layer.digest ? other : descriptor, options)
      return layer
    },
  },
  {
    title: 'another media type',
    layer: (source) => ({...good(source), mediaType: 'application/octet-stream'}),
  },
  {title: 'no signature', layer: (source) => ({...good(source), annotations: {}})},
  {
    title: 'a signature that is not base64',
    layer: (source) => ({
      ...good(source),
      annotations: {'dev.cosignproject.cosign/signature': '<script>'},
    }),
  },
  {
    title: 'a signature of 100 kB',
    layer: (source) => ({
      ...good(source),
      annotations: {'dev.cosignproject.cosign/signature': 'A'.repeat(100_000)},
    }),
  },
  {title: 'a payload that is not JSON', layer: (source) => key.layer(source, '<html>')},
  {
    title: 'a payload that names the image twice',
    layer: (source) => {
      const text = JSON.stringify(payloadFor(`${HOST}/a/b`))
      return key.layer(
        source,
        text.replace('"image":', `"image":{"docker-manifest-digest":"sha256:0"},"image":`),
      )
    },
  },
  {
    title: 'a payload with a field that is critical and unknown',
    layer: (source) =>
      key.layer(
        source,
        JSON.stringify(payloadFor(`${HOST}/a/b`)).replace('"critical":{', '"critical":{"if":1,'),
      ),
  },
  {
    title: 'a payload of another kind of signature',
    layer: (source) =>
      key.layer(
        source,
        JSON.stringify(payloadFor(`${HOST}/a/b`)).replace('cosign container image', 'atomic container'),
      ),
  },
]

for (const {title, layer} of ATTACHED) {
  test(`${title}: damaged, and the good signature beside it counts`, async (t) => {
    const alone = testRepository()
    alone.attach(INDEX, [layer(alone)])
    await assert.rejects(judged(t, alone), {
      ...{code: 'ENVS_IMAGE_SIGNATURE', exitCode: 6},
      message: /is good: one is damaged; the key/,
    })
    const both = testRepository()
    const bad = layer(both)
    both.attach(INDEX, [bad, key.layer(both, {...payloadFor(`${HOST}/a/b`), optional: {second: true}})])
    assert.equal((await judged(t, both)).kind, 'signed')
  })
}

test('manifests of signatures that are no manifests are damaged', async (t) => {
  const tag = `${INDEX.replace(':', '-')}.sig`
  const manifests: readonly [object, string?][] = [
    [{schemaVersion: 2, manifests: []}, 'application/vnd.oci.image.index.v1+json'],
    [{schemaVersion: 2, layers: 'all'}],
    [{schemaVersion: 2, manifests: [], layers: []}],
    [{}, 'text/html'],
  ]
  for (const [manifest, mediaType] of manifests) {
    const source = testRepository()
    source.putManifest(tag, manifest, mediaType)
    await assert.rejects(judged(t, source), {code: 'ENVS_IMAGE_SIGNATURE', message: /one is damaged; /})
  }
})

test('ten thousand signatures: none is fetched, or a hundred at most', async (t) => {
  const source = testRepository()
  const layer = stranger.layer(source, payloadFor(`${HOST}/a/b`))
  source.attach(
    INDEX,
    Array.from({length: 10_000}, () => layer),
  )
  await assert.rejects(judged(t, source), {code: 'ENVS_IMAGE_SIGNATURE', message: /one is damaged; /})
  assert.ok(!source.asked.includes(layer.digest))
  const fewer = testRepository()
  const foreign = stranger.layer(fewer, payloadFor(`${HOST}/a/b`))
  fewer.attach(
    INDEX,
    Array.from({length: 500}, () => foreign),
  )
  await assert.rejects(judged(t, fewer), {message: /one is by another key; /})
  assert.equal(fewer.asked.filter((digest) => digest === foreign.digest).length, 100)
})

test('ten thousand referrers: a hundred are fetched at most', async (t) => {
  const source = testRepository()
  const blob = source.put(stranger.bundle(statementFor()), BUNDLE_TYPE)
  source.refer(INDEX, blob)
  const [referrer] = await source.referrers(INDEX)
  assert.ok(referrer !== undefined)
  source.referrers = async (digest) => (digest === INDEX ? Array.from({length: 10_000}, () => referrer) : [])
  await assert.rejects(judged(t, source), {message: /one is by another key; /})
  assert.equal(source.asked.filter((digest) => digest === blob.digest).length, 100)
})

const BUNDLES: readonly {title: string; bundle: string; message: RegExp}[] = [
  {title: 'not JSON', bundle: '<html>', message: /one is damaged; /},
  {title: 'null', bundle: 'null', message: /one is damaged; /},
  {
    title: 'without a signature',
    bundle: key.bundle(statementFor()).replace(/"signatures":\[.*?\]/, '"signatures":[]'),
    message: /one is damaged; /,
  },
  {
    title: 'with two signatures',
    bundle: key.bundle(statementFor()).replace(/"signatures":\[(.*?)\]/, '"signatures":[$1,$1]'),
    message: /one is damaged; /,
  },
  {
    title: 'of a statement that names two images by two names',
    bundle: key.bundle({
      ...statementFor(),
      subject: [
        {name: 'a', digest: {sha256: INDEX.slice(7)}},
        {name: 'b', digest: {sha256: '0'}},
      ],
    }),
    message: /one has several names; /,
  },
  {
    title: 'of a statement for another repository',
    bundle: key.bundle({
      ...statementFor(),
      subject: [{name: 'evil.example/a', digest: {sha256: INDEX.slice(7)}}],
    }),
    message: /one is for "evil\.example\/a"; /,
  },
  {
    title: 'of an attestation that holds the digest',
    bundle: key.bundle({...statementFor(), predicateType: 'https://slsa.dev/provenance/v1'}),
    message: /one is an attestation \(https:\/\/slsa\.dev\/provenance\/v1\); /,
  },
  {
    title: 'of a file with the bytes of the index',
    bundle: JSON.stringify({
      mediaType: BUNDLE_TYPE,
      verificationMaterial: {publicKey: {hint: ''}, tlogEntries: []},
      messageSignature: {messageDigest: {algorithm: 'SHA2_256', digest: 'AAAA'}, signature: 'AAAA'},
    }),
    message: /one is not of an image; /,
  },
  {
    title: 'of 2 MB',
    bundle: `${key.bundle(statementFor())}${' '.repeat(2_000_000)}`,
    message: /one is damaged; /,
  },
]

for (const {title, bundle, message} of BUNDLES) {
  test(`a bundle ${title} is refused, and the good one beside it counts`, async (t) => {
    const source = testRepository()
    source.refer(INDEX, source.put(bundle, BUNDLE_TYPE))
    await assert.rejects(judged(t, source), {code: 'ENVS_IMAGE_SIGNATURE', exitCode: 6, message})
    source.refer(INDEX, source.put(key.bundle(statementFor()), BUNDLE_TYPE))
    assert.equal((await judged(t, source)).kind, 'signed')
  })
}

test('what else refers to an image is neither a signature nor fetched', async (t) => {
  const source = testRepository()
  const list = source.put('{}', 'application/spdx+json')
  source.refer(INDEX, list, 'application/spdx+json')
  await assert.rejects(judged(t, source), {code: 'ENVS_IMAGE_UNSIGNED'})
  assert.ok(!source.asked.includes(list.digest))
})

test('what an unknown signer writes is in no message', async (t) => {
  const source = testRepository()
  source.attach(INDEX, [stranger.layer(source, payloadFor('\u001b[31mtrusted.example/a'))])
  await assert.rejects(judged(t, source), (error: Error) => !error.message.includes('trusted.example'))
})
