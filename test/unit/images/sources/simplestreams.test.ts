import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseStreamIndex, parseStreamProducts} from '../../../../src/images/sources/simplestreams.js'
import {fixture} from '../../../support/fixture.js'

const A = 'a'.repeat(64)
const FILTER = {labels: ['release'], ftypes: ['root.tar.xz']}

const ITEM = {ftype: 'root.tar.xz', path: 'server/x-root.tar.xz', sha256: A, size: 5}

function products(builds: Readonly<Record<string, unknown>>): Buffer {
  const product = {os: 'ubuntu', release: 'noble', version: '24.04', arch: 'amd64', versions: builds}
  return Buffer.from(JSON.stringify({format: 'products:1.0', products: {'id:1': product}}))
}

test("Ubuntu's real index leads to the stream of downloads", () => {
  const text = fixture('simplestreams/index-2022.sjson').toString()
  const json = text.slice(text.indexOf('{'), text.indexOf('-----BEGIN PGP SIGNATURE'))
  assert.equal(
    parseStreamIndex(Buffer.from(json), 'index.sjson'),
    'streams/v1/com.ubuntu.cloud:released:download.sjson',
  )
})

test('an index without a stream of downloads leads nowhere', () => {
  const index = {format: 'index:1.0', index: {aws: {datatype: 'image-ids', path: 'x'}}}
  assert.equal(parseStreamIndex(Buffer.from(JSON.stringify(index)), 'index.json'), undefined)
})

test("Ubuntu's real products of 2023 are read, the newest build first", () => {
  const name = 'simplestreams/minimal-releases-2023.json'
  const found = parseStreamProducts(fixture(name), name, {...FILTER, labels: ['minimal release']})
  assert.equal(found.length, 14)
  const jammy = found.find(({id}) => id === 'com.ubuntu.cloud:minimal:22.04:amd64')
  assert.deepEqual(
    {...jammy, builds: jammy?.builds.slice(0, 1)},
    {
      id: 'com.ubuntu.cloud:minimal:22.04:amd64',
      distribution: 'ubuntu',
      suite: 'jammy',
      version: '22.04',
      architecture: 'amd64',
      builds: [
        {
          serial: '20231030',
          items: [
            {
              ftype: 'root.tar.xz',
              path: 'jammy/release-20231030/ubuntu-22.04-minimal-cloudimg-amd64-root.tar.xz',
              sha256: '3929b0e4eaf1b3be2833653283adb0665c979eb4d1029e89ea2b605c617b12a4',
              sizeBytes: 108_880_524,
            },
          ],
        },
      ],
    },
  )
})

test('builds with other labels and builds without the file are passed over; serials are compared as numbers', () => {
  const found = parseStreamProducts(
    products({
      '20260101.9': {label: 'release', items: {root: ITEM}},
      '20260101.10': {label: 'release', items: {root: ITEM}},
      '20260301': {label: 'beta2', items: {root: ITEM}},
      '20260201': {label: 'release', items: {squash: {...ITEM, ftype: 'squashfs'}}},
      latest: {label: 'release', items: {root: ITEM}},
    }),
    'x.json',
    FILTER,
  )
  assert.deepEqual(found[0]?.builds, [
    {serial: '20260101.10', items: [{ftype: 'root.tar.xz', path: ITEM.path, sha256: A, sizeBytes: 5}]},
    {serial: '20260101.9', items: [{ftype: 'root.tar.xz', path: ITEM.path, sha256: A, sizeBytes: 5}]},
  ])
})

const AT_ITEM = '$.products.id:1.versions.20260101.items.root'

for (const [what, change, at, reason] of [
  ['a path out of the stream', {path: '../x'}, 'path', 'not a path below the root of the stream'],
  [
    'a path out of the stream by a detour',
    {path: 'a/../../x'},
    'path',
    'not a path below the root of the stream',
  ],
  ['an absolute path', {path: '/x'}, 'path', 'not a path below the root of the stream'],
  ['a path with a query', {path: 'x?y'}, 'path', 'not a path below the root of the stream'],
  ['an upper-case digest', {sha256: A.toUpperCase()}, 'sha256', 'not a SHA-256 digest'],
  ['a missing digest', {sha256: undefined}, 'sha256', 'missing'],
  ['a negative size', {size: -1}, 'size', 'not a count'],
  ['a size that is a text', {size: '5'}, 'size', 'not a count'],
] as const) {
  test(`refuses ${what}, and names the field`, () => {
    const data = products({20260101: {label: 'release', items: {root: {...ITEM, ...change}}}})
    assert.throws(() => parseStreamProducts(data, 'x.json', FILTER), {
      name: 'MalformedListingError',
      message: `"x.json" is malformed at ${AT_ITEM}.${at}: ${reason}.`,
    })
  })
}

for (const [what, text, at, reason] of [
  ['something other than JSON', '<html>', '$', 'it is not JSON'],
  ['a text', '"x"', '$', 'not an object'],
  ['a list', '[]', '$.format', 'missing'],
  ['another format', '{"format": "products:2.0"}', '$.format', 'not products:1.0'],
  ['no products', '{"format": "products:1.0"}', '$.products', 'missing'],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseStreamProducts(Buffer.from(text), 'x.json', FILTER), {
      code: 'ENVS_MALFORMED_LISTING',
      message: `"x.json" is malformed at ${at}: ${reason}.`,
    })
  })
}
