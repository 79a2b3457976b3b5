import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {Sha256} from '../../../src/host/digest.js'
import {type ClaimedImage, reverify} from '../../../src/images/reverify.js'
import {digestOf} from '../../support/download.js'
import {fixture} from '../../support/fixture.js'

const FOLDER = 'ubuntu-base/24.04-20261001'
const options = {keyrings: [], now: new Date('2026-11-24T00:00:00Z')}

const listed = /^([0-9a-f]{64}) \*ubuntu-base-24\.04\.5-base-amd64/m.exec(
  fixture(`${FOLDER}/SHA256SUMS`).toString(),
)?.[1]

function claim(change: Partial<ClaimedImage> = {}): ClaimedImage {
  return {
    source: 'ubuntu-base',
    url: new URL(
      'https://cdimage.ubuntu.com/ubuntu-base/releases/noble/release/ubuntu-base-24.04.5-base-amd64.tar.gz',
    ),
    sha256: listed as Sha256,
    evidence: {
      listing: {name: 'SHA256SUMS', bytes: fixture(`${FOLDER}/SHA256SUMS`)},
      signature: {name: 'SHA256SUMS.gpg', bytes: fixture(`${FOLDER}/SHA256SUMS.gpg`)},
    },
    ...change,
  }
}

test('stored evidence tells again who signed and when, with no network', async () => {
  assert.deepEqual(await reverify(claim(), options), {
    signer: {
      fingerprint: '843938DF228D22F7B3742BC0D94AA3F0EFE21092',
      name: 'Ubuntu CD Image Automatic Signing Key (2012)',
    },
    signedAt: new Date('2026-09-10T16:44:43.000Z'),
  })
})

for (const [what, change, code] of [
  ['another digest', {sha256: digestOf(Buffer.from('x'))}, 'ENVS_NOT_IN_LISTING'],
  [
    'a file that is not listed',
    {url: new URL('https://x/ubuntu-base-24.04.1-base-amd64.tar.gz')},
    'ENVS_NOT_IN_LISTING',
  ],
  [
    'the digest of another file',
    {url: new URL('https://x/ubuntu-base-24.04.5-base-arm64.tar.gz')},
    'ENVS_NOT_IN_LISTING',
  ],
  ['a source with other keys', {source: 'lxc'}, 'ENVS_UNKNOWN_SIGNER'],
  ['a source that is not known', {source: 'elsewhere'}, 'ENVS_UNKNOWN_SOURCE'],
] as const) {
  test(`an image that claims ${what} is refused`, async () => {
    await assert.rejects(reverify(claim(change), options), {code, exitCode: 6})
  })
}

test('a stored listing that was changed is refused', async () => {
  const bytes = Buffer.concat([fixture(`${FOLDER}/SHA256SUMS`), Buffer.from('\n')])
  const {evidence} = claim()
  await assert.rejects(
    reverify(claim({evidence: {...evidence, listing: {name: 'SHA256SUMS', bytes}}}), options),
    {
      code: 'ENVS_BAD_SIGNATURE',
      exitCode: 6,
    },
  )
})
