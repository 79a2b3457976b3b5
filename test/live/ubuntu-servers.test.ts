import assert from 'node:assert/strict'
import {test} from 'node:test'
import {debArchitecture} from '../../src/host/machine/arch.js'
import {readCatalogue} from '../../src/images/catalog/catalog.js'
import {parseImageName} from '../../src/images/reference.js'
import {reverify} from '../../src/images/reverify.js'
import {searchImages} from '../../src/images/search.js'
import type {ImageContext} from '../../src/images/sources/source.js'
import {findPublished, NO_DEMANDS} from '../support/image-context.js'

// The publishers' own servers, with nothing but the built-in keys: npm run test:live.

const architecture = debArchitecture(process.arch)
const catalogue = await readCatalogue()
const context: ImageContext = {
  mirrors: {
    ubuntuBase: 'https://cdimage.ubuntu.com/ubuntu-base',
    ubuntuCloud: 'https://cloud-images.ubuntu.com',
    lxc: 'https://images.linuxcontainers.org',
  },
  keyrings: [],
  environment: process.env,
  now: new Date(),
  trust: NO_DEMANDS,
}

for (const [name, canonical, fingerprint] of [
  ['focal', 'ubuntu:focal/base', '843938DF228D22F7B3742BC0D94AA3F0EFE21092'],
  ['20.04', 'ubuntu:focal/base', '843938DF228D22F7B3742BC0D94AA3F0EFE21092'],
  ['noble', 'ubuntu:noble/base', '843938DF228D22F7B3742BC0D94AA3F0EFE21092'],
  ['ubuntu:noble/daily', 'ubuntu:noble/daily', '843938DF228D22F7B3742BC0D94AA3F0EFE21092'],
  ['ubuntu:noble/cloud', 'ubuntu:noble/cloud', 'D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81'],
  ['ubuntu:noble/minimal', 'ubuntu:noble/minimal', 'D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81'],
  ['debian:trixie/default', 'lxc:debian/trixie', 'E7FB0CAEC8173D669066514CBAEFF88C22F6E216'],
  ['lxc:alpine/edge', 'lxc:alpine/edge', 'E7FB0CAEC8173D669066514CBAEFF88C22F6E216'],
] as const) {
  test(`${name} is found on its publisher's server, and its file is there`, async () => {
    const query = parseImageName(name, {catalogue, architecture, now: context.now})
    const {source, label, digest, trust, content} = await findPublished(query, context)
    const {evidence} = trust
    const {url} = content.layer.location
    assert.equal(label.name, canonical)
    assert.equal(evidence.signer.fingerprint, fingerprint)
    const claim = {source, url, sha256: digest, evidence}
    const {signedAt} = await reverify(claim, {keyrings: [], now: context.now})
    assert.deepEqual(signedAt, evidence.signedAt)
    const {status} = await fetch(url, {method: 'HEAD'})
    assert.equal(status, 200)
  })
}

test('the streams and the index verify and are told with sizes', async () => {
  const {images, unreachable} = await searchImages('noble', context, {architecture, catalogue})
  assert.deepEqual(unreachable, [])
  const cloud = images.find(({name}) => name === 'ubuntu:noble/cloud')
  assert.equal(cloud?.origin, 'online')
  assert((cloud?.sizeBytes ?? 0) > 100_000_000)
})
