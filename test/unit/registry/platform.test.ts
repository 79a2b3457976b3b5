import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {Descriptor, OciPlatform} from '../../../src/registry/descriptor.js'
import {ociDigestOf} from '../../../src/registry/descriptor.js'
import {MEDIA_TYPES} from '../../../src/registry/manifest.js'
import {architectureOf, choosePlatform, formatPlatform, platformOf} from '../../../src/registry/platform.js'

type Entry = {readonly platform?: string; readonly artifactType?: string}

function indexOf(...entries: readonly Entry[]) {
  const manifests = entries.map(({platform, ...rest}, index): Descriptor => {
    const [os = '', architecture = '', variant] = platform?.split('/') ?? []
    return {
      mediaType: MEDIA_TYPES.image[0],
      digest: ociDigestOf(Buffer.from(String(index))),
      size: 1,
      ...rest,
      ...(platform === undefined ? {} : {platform: {os, architecture, ...(variant && {variant})}}),
    }
  })
  return {kind: 'index', mediaType: MEDIA_TYPES.index[0], manifests, annotations: {}} as const
}

const amd64 = platformOf('amd64')
const armhf = platformOf('armhf')

for (const [title, platforms, wanted, chosen] of [
  ['the only one', ['linux/amd64'], amd64, 'linux/amd64'],
  [
    'the plain one before its variants',
    ['linux/amd64/v3', 'linux/amd64', 'linux/amd64/v2'],
    amd64,
    'linux/amd64',
  ],
  ['the lowest variant', ['linux/amd64/v3', 'linux/amd64/v2'], amd64, 'linux/amd64/v2'],
  ['arm64 with its variant', ['linux/amd64', 'linux/arm64/v8'], platformOf('arm64'), 'linux/arm64/v8'],
  ['the highest that runs', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64'], armhf, 'linux/arm/v6'],
  ['the wanted variant', ['linux/arm/v6', 'linux/arm/v7', 'linux/arm/v8'], armhf, 'linux/arm/v7'],
  ['another system is skipped', ['windows/amd64', 'linux/amd64'], amd64, 'linux/amd64'],
  ['attestations are skipped', ['unknown/unknown', 'linux/amd64'], amd64, 'linux/amd64'],
] as const) {
  test(`platform: ${title}`, () => {
    const index = indexOf(...platforms.map((platform) => ({platform})))
    assert.equal(formatPlatform(choosePlatform(index, wanted as OciPlatform).platform), chosen)
  })
}

test('an artifact is no image', () => {
  const index = indexOf({platform: 'linux/amd64', artifactType: 'application/x'}, {platform: 'linux/amd64'})
  assert.equal(choosePlatform(index, amd64), index.manifests[1])
})

test('a single image without a platform is taken', () => {
  const index = indexOf({}, {platform: 'unknown/unknown'})
  assert.equal(choosePlatform(index, amd64), index.manifests[0])
})

test('an index without the platform names those that it has', () => {
  const index = indexOf(
    {platform: 'linux/arm64/v8'},
    {platform: 'linux/s390x'},
    {platform: 'unknown/unknown'},
  )
  assert.throws(() => choosePlatform(index, amd64, 'r.example/x'), {
    code: 'ENVS_NO_PLATFORM',
    exitCode: 3,
    message: 'There is no linux/amd64 in r.example/x; its platforms: linux/arm64/v8, linux/s390x.',
  })
})

test('architectures have two names', () => {
  assert.equal(architectureOf({os: 'linux', architecture: 'ppc64le'}), 'ppc64el')
  assert.equal(architectureOf({os: 'linux', architecture: 'arm', variant: 'v7'}), 'armhf')
  assert.equal(architectureOf({os: 'windows', architecture: 'amd64'}), undefined)
  assert.equal(architectureOf({os: 'linux', architecture: 'wasm'}), undefined)
})
