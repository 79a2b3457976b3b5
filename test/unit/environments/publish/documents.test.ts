import assert from 'node:assert/strict'
import {test} from 'node:test'
import {composeImage, type ImageParts} from '../../../../src/environments/publish/documents.js'

const digest = (character: string) => `sha256:${character.repeat(64)}` as const
const layer = (character: string) => ({
  ...{digest: digest(character), diffId: digest('f'), sizeBytes: 1, compression: 'gzip' as const},
})

const PARTS: ImageParts = {
  format: 'oci',
  layers: [layer('a'), layer('b')],
  history: [{created_by: 'own'}],
  base: undefined,
  architecture: 'arm64',
  created: '2026-01-01T00:00:00Z',
  defaults: {Cmd: ['/bin/sh']},
  changes: (fields) => fields,
}

const configOf = (parts: ImageParts) => JSON.parse(composeImage(parts).config.bytes.toString())

test('the configuration of the image below is kept, without what was of its layers', () => {
  const fields = {
    ...{
      architecture: 'arm',
      variant: 'v7',
      os: 'linux',
      author: 'someone',
      container: 'x',
      created: 'before',
    },
    config: {Cmd: ['serve'], Healthcheck: {Test: ['NONE']}},
    rootfs: {type: 'layers', diff_ids: [digest('c')]},
    history: [{created_by: 'step'}, {created_by: 'ENV A=1', empty_layer: true}],
  }
  assert.deepEqual(configOf({...PARTS, base: {fields, layers: 1}}), {
    ...{created: '2026-01-01T00:00:00Z', architecture: 'arm', variant: 'v7', os: 'linux', author: 'someone'},
    config: {Cmd: ['serve'], Healthcheck: {Test: ['NONE']}},
    rootfs: {type: 'layers', diff_ids: [digest('f'), digest('f')]},
    history: [{created_by: 'step'}, {created_by: 'ENV A=1', empty_layer: true}, {created_by: 'own'}],
  })
})

test('the history has an entry for each layer, also where that of the image below has not', () => {
  for (const history of [undefined, null, [], [{created_by: 'a'}, {created_by: 'b'}]]) {
    const {history: whole} = configOf({...PARTS, base: {fields: {history}, layers: 1}})
    assert.deepEqual(whole, [{created_by: 'unknown'}, {created_by: 'own'}])
  }
})

test('the media types are those of the format', () => {
  const types = (format: ImageParts['format']) => {
    const {manifest} = composeImage({
      ...PARTS,
      format,
      layers: [layer('a'), {...layer('b'), compression: 'none'}],
    })
    const {mediaType, config, layers} = JSON.parse(manifest.bytes.toString())
    return [mediaType, config.mediaType, ...layers.map((each: {mediaType: string}) => each.mediaType)]
  }
  assert.deepEqual(types('oci'), [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.oci.image.config.v1+json',
    'application/vnd.oci.image.layer.v1.tar+gzip',
    'application/vnd.oci.image.layer.v1.tar',
  ])
  assert.deepEqual(types('docker'), [
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.docker.container.image.v1+json',
    'application/vnd.docker.image.rootfs.diff.tar.gzip',
    'application/vnd.docker.image.rootfs.diff.tar',
  ])
})
