import assert from 'node:assert/strict'
import {test} from 'node:test'
import {MEDIA_TYPES, parseImageConfig, parseManifest} from '../../../src/registry/manifest.js'
import {jsonBytes, sampleImage} from '../../support/oci-image.js'

const image = sampleImage()
const [ociImage, dockerImage] = MEDIA_TYPES.image
const [ociIndex, dockerIndex] = MEDIA_TYPES.index
const {config, layers} = image
const whole = {schemaVersion: 2, config, layers}

for (const [title, fields, type, kind] of [
  ['OCI', {...whole, mediaType: ociImage}, ociImage, 'image'],
  ['OCI, its type only sent', whole, `${ociImage}; charset=utf-8`, 'image'],
  ['OCI, its type only in it', {...whole, mediaType: ociImage}, undefined, 'image'],
  ['OCI without a type', whole, undefined, 'image'],
  ['schema 2', {...whole, mediaType: dockerImage}, dockerImage, 'image'],
  ['an index', {schemaVersion: 2, manifests: []}, ociIndex, 'index'],
  ['an index without a type', {schemaVersion: 2, manifests: []}, undefined, 'index'],
  ['a list', {schemaVersion: 2, mediaType: dockerIndex, manifests: []}, dockerIndex, 'index'],
] as const) {
  test(`a manifest: ${title}`, () => {
    const parsed = parseManifest(jsonBytes(fields), type)
    assert.equal(parsed.kind, kind)
    if (parsed.kind === 'image') assert.deepEqual([parsed.config, parsed.layers], [config, layers])
  })
}

const [layer] = layers
for (const [title, fields, type, reason] of [
  [
    'an image sent as an index',
    {...whole, mediaType: ociImage},
    ociIndex,
    /its type is .+, and it was sent as/,
  ],
  ['fields of both', {...whole, manifests: []}, ociImage, /fields of an image and of an index/],
  [
    'an index with layers',
    {schemaVersion: 2, manifests: [], layers},
    ociIndex,
    /fields of an image and of an index/,
  ],
  [
    'an index with config',
    {schemaVersion: 2, manifests: [], config},
    undefined,
    /fields of an image and of an index/,
  ],
  [
    'schema 1',
    {schemaVersion: 1},
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    /Docker schema 1/,
  ],
  ['another type', whole, 'text/html', /"text\/html" is not the type of an image/],
  ['no layers', {schemaVersion: 2, config}, ociImage, /layers is missing/],
  [
    'a digest of another kind',
    {...whole, layers: [{...layer, digest: 'md5:x'}]},
    ociImage,
    /layers\.0\.digest is not a SHA-256/,
  ],
  [
    'a negative size',
    {...whole, layers: [{...layer, size: -1}]},
    ociImage,
    /layers\.0\.size is not a number of bytes/,
  ],
  [
    'a size that is no number of bytes',
    {...whole, layers: [{...layer, size: 1.5}]},
    ociImage,
    /layers\.0\.size/,
  ],
  [
    '10,000 layers',
    {...whole, layers: Array.from({length: 10_000}, () => layer)},
    ociImage,
    /layers is not a list of 500 at most/,
  ],
  ['a list', [], ociImage, /is not a JSON object/],
] as const) {
  test(`no manifest: ${title}`, () => {
    assert.throws(() => parseManifest(jsonBytes(fields), type, 'r.example/x'), {
      code: 'ENVS_BAD_MANIFEST',
      exitCode: 6,
      message: reason,
    })
  })
}

test('no manifest: no JSON, or too much of it', () => {
  assert.throws(() => parseManifest(Buffer.from('<html>'), ociImage), {message: /its manifest is not JSON/})
  assert.throws(() => parseManifest(Buffer.alloc(5_000_000, ' '), ociImage), {
    message: /is over 4194304 bytes/,
  })
})

test('places of foreign layers are not kept', () => {
  const foreign = {...layer, urls: ['https://elsewhere.example/layer']}
  const parsed = parseManifest(jsonBytes({...whole, layers: [foreign]}), ociImage)
  assert.deepEqual(parsed.kind === 'image' && parsed.layers, layers)
})

test('a configuration with empty fields, as builders write them', () => {
  const fields = {
    architecture: 'amd64',
    os: 'linux',
    variant: '',
    config: {
      Env: null,
      Entrypoint: null,
      Cmd: ['sh'],
      User: '',
      WorkingDir: '/app',
      Labels: null,
      Volumes: {'/data': {}},
    },
    rootfs: {type: 'layers', diff_ids: null},
    history: [{created_by: 'x', empty_layer: true}],
  }
  assert.deepEqual(parseImageConfig(jsonBytes(fields)), {
    architecture: 'amd64',
    os: 'linux',
    variant: undefined,
    created: undefined,
    diffIds: [],
    config: {
      Env: [],
      WorkingDir: '/app',
      User: undefined,
      Entrypoint: [],
      Cmd: ['sh'],
      Labels: {},
      ExposedPorts: [],
      Volumes: ['/data'],
      StopSignal: undefined,
    },
    history: [{created: undefined, createdBy: 'x', comment: undefined, isEmpty: true}],
  })
})

test('a configuration without its own part, and one without layers', () => {
  const fields = {architecture: 'amd64', os: 'linux', rootfs: {type: 'layers'}}
  assert.deepEqual(parseImageConfig(jsonBytes(fields)).config.Env, [])
  assert.throws(() => parseImageConfig(jsonBytes({...fields, rootfs: undefined}), 'r.example/x'), {
    message: 'Could not use r.example/x: in its configuration, rootfs is missing.',
  })
})
