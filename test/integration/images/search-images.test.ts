import assert from 'node:assert/strict'
import {type TestContext, test} from 'node:test'
import {readCatalogue} from '../../../src/images/catalog/catalog.js'
import {type SearchResult, searchImages} from '../../../src/images/search.js'
import type {ImageContext} from '../../../src/images/sources/source.js'
import {contextFor} from '../../support/image-context.js'
import {type ImageServers, publishLxc, publishStream, startImageServers} from '../../support/image-servers.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const request = {architecture: 'amd64', catalogue: await readCatalogue([])} as const
const now = new Date('2026-11-24T00:00:00Z')
const NOBODY = 'http://127.0.0.1:1'

const item = (path: string, size: number, ftype = 'root.tar.xz') => ({
  ftype,
  path,
  sha256: 'a'.repeat(64),
  size,
})

function product(
  version: string,
  release: string,
  versions: Readonly<Record<string, unknown>>,
  arch = 'amd64',
) {
  return {os: 'ubuntu', release, version, arch, versions}
}

async function withStreams(t: TestContext): Promise<ImageServers> {
  const servers = await startImageServers(t)
  const builds = {
    '20260518': {
      label: 'release',
      items: {squashfs: item('x', 1, 'squashfs'), root: item('noble/root', 209)},
    },
    '20260301': {label: 'release', items: {root: item('old', 200)}},
    '20260601': {label: 'rc', items: {root: item('rc', 300)}},
  }
  await publishStream(servers, {
    root: 'cloud-images/releases',
    products: {
      'com.ubuntu.cloud:server:24.04:amd64': product('24.04', 'noble', builds),
      'com.ubuntu.cloud:server:24.04:amd64v3': product('24.04', 'noble', builds, 'amd64v3'),
      'com.ubuntu.cloud:server:24.04:arm64': product('24.04', 'noble', builds, 'arm64'),
    },
  })
  await publishStream(servers, {
    root: 'cloud-images/minimal/releases',
    products: {
      'com.ubuntu.cloud:minimal:20.04:amd64': product('20.04', 'focal', {
        '20231102': {label: 'minimal release', items: {root: item('focal/root', 108)}},
      }),
    },
  })
  const files = {'rootfs.tar.xz': Buffer.from('x')}
  for (const image of [
    'alpine/3.9/amd64/default',
    'alpine/3.22/amd64/default',
    'alpine/3.22/arm64/default',
  ]) {
    await publishLxc(servers, {image, serial: '20260829_13:00', files})
  }
  await publishLxc(servers, {image: 'gentoo/current/amd64/openrc', serial: '20260829_16:07', files})
  return servers
}

async function search(
  servers: ImageServers,
  word: string | undefined,
  context: Partial<ImageContext> = {},
): Promise<SearchResult> {
  return searchImages(word, contextFor(servers, {now, ...context}), request)
}

test('a cloud image is told with the size and the serial of its newest release', async (t) => {
  const {images} = await search(await withStreams(t), 'ubuntu:noble/cloud')
  assert.deepEqual(images, [
    {
      name: 'ubuntu:noble/cloud',
      source: 'ubuntu-cloud',
      distribution: 'ubuntu',
      suite: 'noble',
      version: '24.04',
      variant: 'cloud',
      architecture: 'amd64',
      serial: '20260518',
      sizeBytes: 209,
      eol: new Date('2029-05-31T00:00:00Z'),
      isEol: false,
      origin: 'online',
    },
  ])
})

for (const [word, names] of [
  ['focal', ['ubuntu:focal/base', 'ubuntu:focal/daily', 'ubuntu:focal/minimal', 'ubuntu:focal/archive']],
  ['20.04', ['ubuntu:focal/base', 'ubuntu:focal/daily', 'ubuntu:focal/minimal', 'ubuntu:focal/archive']],
  ['FOSSA', ['ubuntu:focal/base', 'ubuntu:focal/daily', 'ubuntu:focal/minimal', 'ubuntu:focal/archive']],
  ['stonking', ['ubuntu:stonking/base', 'ubuntu:stonking/archive']],
  ['alpine', ['lxc:alpine/3.22', 'lxc:alpine/3.9']],
  ['gentoo', []],
] as const) {
  test(`searching for ${word} finds ${names.length === 0 ? 'nothing' : names.join(', ')}`, async (t) => {
    const {images, unreachable} = await search(await withStreams(t), word)
    assert.deepEqual(
      images.map(({name}) => name),
      names,
    )
    assert.deepEqual(unreachable, [])
  })
}

test('a release past its end of life is marked', async (t) => {
  const {images} = await search(await withStreams(t), 'ubuntu:focal/minimal')
  assert.deepEqual(
    images.map(({isEol, eol}) => [isEol, eol?.toISOString()]),
    [[true, '2025-05-29T00:00:00.000Z']],
  )
})

test('without a word all is told, Ubuntu first, then Debian, and from new to old', async (t) => {
  const {images} = await search(await withStreams(t), undefined)
  const suites = images.map(({distribution, suite}) => `${distribution} ${suite}`)
  assert.deepEqual(
    suites.filter((suite, index) => suites.indexOf(suite) === index),
    [
      'ubuntu stonking',
      'ubuntu resolute',
      'ubuntu noble',
      'ubuntu jammy',
      'ubuntu focal',
      'ubuntu bionic',
      'ubuntu xenial',
      'debian forky',
      'debian trixie',
      'debian bookworm',
      'debian bullseye',
      'debian sid',
      'alpine 3.22',
      'alpine 3.9',
    ],
  )
})

test('a word that finds nothing gets the nearest names', async (t) => {
  const {images, nearest} = await search(await withStreams(t), 'focl')
  assert.deepEqual([images, nearest], [[], ['focal']])
})

test('where a server is not reached the built-in table tells what to expect of it', async (t) => {
  const servers = await withStreams(t)
  const mirrors = {ubuntuBase: NOBODY, ubuntuCloud: NOBODY, lxc: NOBODY}
  const {images, unreachable} = await search(servers, 'noble', {mirrors})
  assert.deepEqual(
    images.map(({name, origin, sizeBytes}) => [name, origin, sizeBytes]),
    [
      ['ubuntu:noble/base', 'catalogue', undefined],
      ['ubuntu:noble/daily', 'catalogue', undefined],
      ['ubuntu:noble/cloud', 'catalogue', undefined],
      ['ubuntu:noble/minimal', 'catalogue', undefined],
      ['ubuntu:noble/archive', 'catalogue', undefined],
    ],
  )
  const reason = 'the connection was refused'
  assert.deepEqual(
    [...unreachable].sort((a, b) => b.source.localeCompare(a.source)),
    [
      {source: 'ubuntu-cloud', mirror: NOBODY, reason},
      {source: 'lxc', mirror: NOBODY, reason},
    ],
  )
  const debian = await search(servers, 'trixie', {mirrors})
  assert.deepEqual(
    debian.images.map(({name}) => name),
    ['debian:trixie/archive', 'lxc:debian/trixie'],
  )
})

test('a stream that is unchanged since the last search is not fetched again', async (t) => {
  const servers = await withStreams(t)
  const cacheFolder = await temporaryFolder(t)
  const first = await search(servers, 'cloud', {cacheFolder})
  const asked = servers.server.seen.length
  assert.deepEqual(await search(servers, 'cloud', {cacheFolder}), first)
  const streams = servers.server.seen.slice(asked).filter(({target}) => target?.endsWith('.sjson'))
  assert.deepEqual(
    streams.map(({headers}) => typeof headers['if-none-match']),
    ['string', 'string', 'string', 'string'],
  )
})

test('a stream that is signed by a key that is not trusted ends the search', async (t) => {
  const servers = await withStreams(t)
  await assert.rejects(search(servers, undefined, {keyrings: []}), {code: 'ENVS_UNKNOWN_SIGNER', exitCode: 6})
})
