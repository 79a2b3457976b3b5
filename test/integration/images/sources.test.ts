import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readCatalogue} from '../../../src/images/catalog/catalog.js'
import type {ImageReference} from '../../../src/images/name.js'
import {parseImageReference} from '../../../src/images/reference.js'
import {findImage, resolveImage} from '../../../src/images/resolve.js'
import {SOURCES} from '../../../src/images/sources/index.js'
import {digestOf} from '../../support/download.js'
import {contextFor, NOWHERE} from '../../support/image-context.js'
import {givenPublished} from '../../support/published.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const catalogue = await readCatalogue([])
const DIGEST = digestOf(Buffer.from('an archive'))

function parse(text: string): Promise<ImageReference> {
  const now = new Date('2026-11-24T00:00:00Z')
  return parseImageReference(text, {workingFolder: '/home/me', architecture: 'amd64', now, catalogue})
}

for (const [text, ...ids] of [
  ['focal', 'ubuntu-base', 'ubuntu-cloud', 'lxc'],
  ['ubuntu:focal/daily', 'ubuntu-base'],
  ['ubuntu:focal/cloud', 'ubuntu-cloud'],
  ['ubuntu:focal/archive', 'archive'],
  ['trixie', 'archive'],
  ['debian:trixie/default', 'lxc'],
  ['debian:trixie/minimal'],
  ['lxc:alpine/3.22', 'lxc'],
  ['./rootfs.tar', 'local'],
  ['https://host/rootfs.tar', 'local'],
  ['-', 'local'],
] as const) {
  test(`${text} is asked of ${ids.join(', ') || 'no source'}`, async () => {
    const reference = await parse(text)
    assert.deepEqual(
      SOURCES.filter((source) => source.matches(reference)).map(({id}) => id),
      ids,
    )
  })
}

for (const [text, location] of [
  ['./rootfs.tar', {kind: 'file', path: '/home/me/rootfs.tar'}],
  ['https://host/rootfs.tar', {kind: 'url', url: new URL('https://host/rootfs.tar')}],
  ['-', {kind: 'standard-input'}],
] as const) {
  test(`${text} is one tarball where it is, and nobody vouches for it`, async () => {
    const image = await findImage(await parse(text), NOWHERE)
    const layer = {location, digest: undefined, sizeBytes: undefined}
    assert.deepEqual(image, {
      source: 'local',
      digest: undefined,
      trust: {kind: 'unverified'},
      content: {kind: 'tarball', layer},
      label: undefined,
    })
  })
}

test('a digest that the user gives vouches for what nobody else vouches for', async (t) => {
  const options = {images: await temporaryFolder(t), context: NOWHERE, sha256: DIGEST}
  const resolution = await resolveImage(await parse('./rootfs.tar'), options)
  assert(resolution.kind === 'found')
  const {digest, trust} = resolution.image
  assert.deepEqual([digest, trust], [DIGEST, {kind: 'digest'}])
})

test('a release that is made of its packages is found without a server', async () => {
  const {source, content} = await findImage(await parse('debian:13'), NOWHERE)
  assert(content.kind === 'packages')
  const {distribution, suite, variant} = content.query
  assert.deepEqual([source, distribution, suite, variant], ['archive', 'debian', 'trixie', 'archive'])
})

test('where only the newest image will do, a kept one is not fallen back on', async (t) => {
  const {use, servers, images} = await givenPublished(t, Buffer.from('an archive'))
  await use()
  const {mirrors} = NOWHERE
  const options = {images, context: contextFor(servers, {mirrors})}
  const focal = await parse('focal')
  assert.equal((await resolveImage(focal, options)).kind, 'kept')
  await assert.rejects(resolveImage(focal, {...options, isNewest: true}), {name: 'SourcesUnreachableError'})
})
