import assert from 'node:assert/strict'
import {type TestContext, test} from 'node:test'
import {readCatalogue} from '../../../src/images/catalog/catalog.js'
import {parseImageName} from '../../../src/images/reference.js'
import type {ImageContext} from '../../../src/images/sources/source.js'
import {digestOf} from '../../support/download.js'
import {contextFor, findPublished} from '../../support/image-context.js'
import {
  type ImageServers,
  publishCloudRelease,
  publishDaily,
  publishLxc,
  publishUbuntuBase,
  startImageServers,
} from '../../support/image-servers.js'

const catalogue = await readCatalogue([])

async function find(servers: ImageServers, name: string, context: Partial<ImageContext> = {}) {
  const query = parseImageName(name, {
    catalogue,
    architecture: 'amd64',
    now: new Date('2026-11-24T00:00:00Z'),
  })
  const {source, digest, trust, content, label} = await findPublished(query, contextFor(servers, context))
  const {location, sizeBytes} = content.layer
  return {...label, source, url: location.url, sha256: digest, sizeBytes, evidence: trust.evidence}
}

const base = (version: string, architecture = 'amd64') => ({
  [`ubuntu-base-${version}-base-${architecture}.tar.gz`]: Buffer.from(`${version} ${architecture}`),
})
const cloud = (front: string, flavour: string, root = 'root.tar.xz') => ({
  [`${front}-${flavour}-cloudimg-amd64.tar.gz`]: Buffer.from('a disk image'),
  [`${front}-${flavour}-cloudimg-amd64-lxd.tar.xz`]: Buffer.from('metadata'),
  [`${front}-${flavour}-cloudimg-amd64-${root}`]: Buffer.from(`${front} ${flavour} ${root}`),
})

async function withFocal(t: TestContext): Promise<ImageServers> {
  const servers = await startImageServers(t)
  await publishUbuntuBase(servers, {
    suite: 'focal',
    version: '20.04',
    files: {...base('20.04.4'), ...base('20.04.5'), ...base('20.04.5', 'arm64')},
    links: ['20.04.5'],
  })
  return servers
}

test('an image has all that is known of it, and the evidence', async (t) => {
  const servers = await withFocal(t)
  const image = await find(servers, 'focal')
  const body = Buffer.from('20.04.5 amd64')
  const {evidence, ...rest} = image
  assert.deepEqual(rest, {
    name: 'ubuntu:focal/base',
    source: 'ubuntu-base',
    suite: 'focal',
    variant: 'base',
    architecture: 'amd64',
    version: '20.04.5',
    url: new URL(
      `${servers.mirrors.ubuntuBase}/releases/focal/release/ubuntu-base-20.04.5-base-amd64.tar.gz`,
    ),
    sha256: digestOf(body),
    sizeBytes: undefined,
  })
  assert.equal(evidence.url, `${servers.mirrors.ubuntuBase}/releases/focal/release/SHA256SUMS`)
  assert.deepEqual(evidence.signer, {fingerprint: servers.signer.fingerprint, name: 'Test Publisher'})
  assert.equal(evidence.listing.name, 'SHA256SUMS')
  assert.match(evidence.listing.bytes.toString(), / \*ubuntu-base-20\.04\.5-base-arm64\.tar\.gz\n$/)
  assert.equal(evidence.signature?.name, 'SHA256SUMS.gpg')
})

test('the numerically highest point release is taken, whatever order the listing has', async (t) => {
  const servers = await startImageServers(t)
  await publishUbuntuBase(servers, {
    suite: 'noble',
    version: '24.04',
    files: {...base('24.04'), ...base('24.04.9'), ...base('24.04.10'), ...base('24.04.11', 'arm64')},
  })
  assert.equal((await find(servers, 'noble')).version, '24.04.10')
})

test('a release without points is taken as it is', async (t) => {
  const servers = await startImageServers(t)
  await publishUbuntuBase(servers, {suite: 'resolute', version: '26.04', files: base('26.04')})
  const {version, url} = await find(servers, 'ubuntu')
  assert.equal(version, '26.04')
  assert.equal(url.pathname, '/ubuntu-base/releases/resolute/release/ubuntu-base-26.04-base-amd64.tar.gz')
})

test('files of a beta or of another release are not taken for a point release', async (t) => {
  const servers = await startImageServers(t)
  const files = {...base('24.04-beta'), ...base('24.04.2x'), ...base('24.04.1')}
  await publishUbuntuBase(servers, {suite: 'noble', version: '24.04', files})
  assert.equal((await find(servers, 'noble')).version, '24.04.1')
})

test('a release to come is found in its daily folder, by the day its listing was signed', async (t) => {
  const servers = await startImageServers(t)
  const files = {'stonking-base-amd64.tar.gz': Buffer.from('daily')}
  const date = new Date('2026-09-30T05:00:00Z')
  await publishDaily(servers, {root: 'ubuntu-base/stonking/daily', serial: '20260930', files, date})
  const {name, version, url} = await find(servers, 'ubuntu:stonking/base')
  assert.deepEqual(
    [name, version, url.pathname],
    ['ubuntu:stonking/daily', '20260930', '/ubuntu-base/stonking/daily/current/stonking-base-amd64.tar.gz'],
  )
})

test('the daily folder of before May 2026 is looked into as well', async (t) => {
  const servers = await startImageServers(t)
  const files = {'stonking-base-amd64.tar.gz': Buffer.from('daily')}
  await publishDaily(servers, {root: 'ubuntu-base/daily', serial: '20260930', files})
  const {url} = await find(servers, 'ubuntu:stonking/daily')
  assert.equal(url.pathname, '/ubuntu-base/daily/current/stonking-base-amd64.tar.gz')
})

test('the variant daily is never a release', async (t) => {
  await assert.rejects(find(await withFocal(t), 'ubuntu:focal/daily'), {code: 'ENVS_IMAGE_NOT_PUBLISHED'})
})

for (const [variant, root, flavour] of [
  ['cloud', 'cloud-images/releases', 'server'],
  ['minimal', 'cloud-images/minimal/releases', 'minimal'],
] as const) {
  test(`the variant ${variant} is the root, not the disk image or the metadata beside it`, async (t) => {
    const servers = await startImageServers(t)
    const files = cloud('ubuntu-24.04', flavour)
    const date = new Date('2026-05-19T00:00:00Z')
    await publishCloudRelease(servers, {root, suite: 'noble', serial: '20260518', files, date})
    const image = await find(servers, `ubuntu:noble/${variant}`)
    assert.equal(image.name, `ubuntu:noble/${variant}`)
    assert.equal(image.source, 'ubuntu-cloud')
    assert.equal(image.version, '20260519')
    assert.equal(
      image.url.pathname,
      `/${root}/noble/release/ubuntu-24.04-${flavour}-cloudimg-amd64-root.tar.xz`,
    )
    assert.equal(image.sha256, digestOf(Buffer.from(`ubuntu-24.04 ${flavour} root.tar.xz`)))
  })
}

for (const [variant, root, flavour] of [
  ['cloud', 'cloud-images/stonking', 'server'],
  ['minimal', 'cloud-images/minimal/daily/stonking', 'minimal'],
] as const) {
  test(`the variant ${variant} of a release to come is the daily one`, async (t) => {
    const servers = await startImageServers(t)
    await publishDaily(servers, {root, serial: '20260930', files: cloud('stonking', flavour)})
    const {url} = await find(servers, `ubuntu:stonking/${variant}`)
    assert.equal(url.pathname, `/${root}/current/stonking-${flavour}-cloudimg-amd64-root.tar.xz`)
  })
}

test('an old cloud image that is there as root.tar.gz only is found', async (t) => {
  const servers = await startImageServers(t)
  const files = cloud('ubuntu-16.04', 'server', 'root.tar.gz')
  await publishCloudRelease(servers, {
    root: 'cloud-images/releases',
    suite: 'xenial',
    serial: '20160420',
    files,
  })
  assert.match((await find(servers, 'ubuntu:xenial/cloud')).url.pathname, /-root\.tar\.gz$/)
})

test('without a variant the smallest official root goes first, and others do when it is not there', async (t) => {
  const servers = await startImageServers(t)
  const sources: string[] = []
  const note = async () => sources.push((await find(servers, 'focal')).name)
  const image = 'ubuntu/focal/amd64/default'
  await publishLxc(servers, {image, serial: '20260829_07:42', files: {'rootfs.tar.xz': Buffer.from('lxc')}})
  await note()
  for (const [root, flavour] of [
    ['cloud-images/releases', 'server'],
    ['cloud-images/minimal/releases', 'minimal'],
  ] as const) {
    await publishCloudRelease(servers, {
      root,
      suite: 'focal',
      serial: '20260518',
      files: cloud('ubuntu-20.04', flavour),
    })
    await note()
  }
  await publishUbuntuBase(servers, {suite: 'focal', version: '20.04', files: base('20.04.5')})
  await note()
  assert.deepEqual(sources, [
    'lxc:ubuntu/focal',
    'ubuntu:focal/cloud',
    'ubuntu:focal/minimal',
    'ubuntu:focal/base',
  ])
})

for (const [name, image, canonical] of [
  ['debian:trixie/default', 'debian/trixie/amd64/default', 'lxc:debian/trixie'],
  ['lxc:debian/13', 'debian/trixie/amd64/default', 'lxc:debian/trixie'],
  ['debian:trixie/cloud', 'debian/trixie/amd64/cloud', 'lxc:debian/trixie/cloud'],
  ['lxc:alpine/3.22', 'alpine/3.22/amd64/default', 'lxc:alpine/3.22'],
] as const) {
  test(`${name} is found on images.linuxcontainers.org`, async (t) => {
    const servers = await startImageServers(t)
    const files = {'rootfs.tar.xz': Buffer.from(image), 'disk.qcow2': Buffer.from('disk')}
    await publishLxc(servers, {image: 'debian/trixie/arm64/default', serial: '20260829_05:24', files})
    await publishLxc(servers, {image, serial: '20260829_07:42', files})
    const found = await find(servers, name)
    assert.equal(found.name, canonical)
    assert.equal(found.version, '20260829_07:42')
    assert.equal(found.url.href, `${servers.mirrors.lxc}/images/${image}/20260829_07:42/rootfs.tar.xz`)
    assert.equal(found.sha256, digestOf(Buffer.from(image)))
  })
}

test('an image that nobody publishes is told with the places that were looked at', async (t) => {
  const servers = await withFocal(t)
  await assert.rejects(find(servers, 'ubuntu:bionic'), {
    code: 'ENVS_IMAGE_NOT_PUBLISHED',
    exitCode: 3,
    message:
      `"ubuntu:bionic" is not published for amd64: envs looked at ${servers.mirrors.ubuntuBase}, ` +
      `${servers.mirrors.ubuntuCloud}, ${servers.mirrors.lxc}.`,
    suggestions: ['See the images that exist: envs image search bionic'],
  })
})

test('an image of a release that is over is reported so, with the place of its packages', async (t) => {
  const suggestions = [
    'Ubuntu 20.10 (Groovy Gorilla) reached its end of life on 2021-07-22: Ubuntu removed its images, and keeps its packages at old-releases.ubuntu.com.',
    'To make an image of those packages: envs create groovy/archive',
  ]
  const servers = await withFocal(t)
  await assert.rejects(find(servers, '20.10'), {
    code: 'ENVS_IMAGE_NOT_PUBLISHED',
    suggestions: [...suggestions, 'See the images that exist: envs image search groovy'],
  })
  const nowhere = 'http://127.0.0.1:1'
  const mirrors = {ubuntuBase: nowhere, ubuntuCloud: nowhere, lxc: nowhere}
  await assert.rejects(find(servers, '20.10', {mirrors}), (error: Error & {suggestions: string[]}) => {
    assert.deepEqual(error.suggestions.slice(0, 2), suggestions)
    return true
  })
})

test("images.linuxcontainers.org's cloud variant is not taken for Ubuntu's, unless asked for", async (t) => {
  const servers = await startImageServers(t)
  const files = {'rootfs.tar.xz': Buffer.from('x')}
  await publishLxc(servers, {image: 'ubuntu/noble/amd64/cloud', serial: '20260829_07:42', files})
  await assert.rejects(find(servers, 'ubuntu:noble/cloud'), {code: 'ENVS_IMAGE_NOT_PUBLISHED'})
  assert.equal((await find(servers, 'lxc:ubuntu/noble/cloud')).name, 'lxc:ubuntu/noble/cloud')
})

test('a variant that no source has is told without asking any', async (t) => {
  const servers = await startImageServers(t)
  await assert.rejects(find(servers, 'debian:trixie/minimal'), {
    code: 'ENVS_IMAGE_NOT_PUBLISHED',
    message: '"debian:trixie/minimal" is not published for amd64: no source of envs has such images.',
  })
  assert.deepEqual(servers.server.seen, [])
})
