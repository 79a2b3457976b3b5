import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type ListingKind, pinnedKeys} from '../../../../src/images/signature/keyring.js'
import {type Verified, verifyCleartext, verifyDetached} from '../../../../src/images/signature/verify.js'
import {fixture} from '../../../support/fixture.js'

const NOW = new Date('2026-11-24T00:00:00Z')

async function detached(
  kind: ListingKind,
  folder: string,
  suffix: string,
  allowSha1?: boolean,
): Promise<Verified> {
  const [listing, signature] = [`${folder}/SHA256SUMS`, `${folder}/SHA256SUMS${suffix}`]
  return verifyDetached(
    {
      listing: {name: listing, bytes: fixture(listing)},
      signature: {name: signature, bytes: fixture(signature)},
    },
    {keys: await pinnedKeys(kind), now: NOW, allowSha1},
  )
}

async function clearsigned(kind: ListingKind, name: string): Promise<Verified> {
  return verifyCleartext({name, bytes: fixture(name)}, {keys: await pinnedKeys(kind), now: NOW})
}

test("Ubuntu Base's listing verifies by the CD image key", async () => {
  const {signer, signedAt, data, isClockBehind} = await detached(
    'ubuntu-base',
    'ubuntu-base/24.04-20261001',
    '.gpg',
  )
  assert.deepEqual(signer, {
    fingerprint: '843938DF228D22F7B3742BC0D94AA3F0EFE21092',
    name: 'Ubuntu CD Image Automatic Signing Key (2012)',
  })
  assert.equal(signedAt.toISOString(), '2026-09-10T16:44:43.000Z')
  assert.equal(isClockBehind, false)
  assert.deepEqual(data, fixture('ubuntu-base/24.04-20261001/SHA256SUMS'))
})

test("a build's listing of images.linuxcontainers.org verifies by its key", async () => {
  const {signer, signedAt} = await detached('lxc', 'lxc/debian-trixie-arm64-20260829', '.asc')
  assert.deepEqual(signer, {
    fingerprint: 'E7FB0CAEC8173D669066514CBAEFF88C22F6E216',
    name: 'LXC pre-built images',
  })
  assert.equal(signedAt.toISOString(), '2026-08-29T07:43:59.000Z')
})

test("Ubuntu's stream index verifies by the cloud image builder's key", async () => {
  const {signer, signedAt, data} = await clearsigned('ubuntu-streams', 'simplestreams/index-2022.sjson')
  assert.equal(signer.fingerprint, '4A3CE3CD565D7EB5C810E2B97FF3F408476CF100')
  assert.equal(signedAt.toISOString(), '2022-10-07T08:51:12.000Z')
  assert.equal(data.toString('utf8', 0, 14), '{\n "index": {\n')
  assert.equal(data.at(-1), '}'.charCodeAt(0))
})

for (const [name, kind, fingerprint] of [
  ['trixie-updates', 'debian-archive', 'B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8'],
  ['trixie-security', 'debian-security', '05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0'],
] as const) {
  test(`Debian's ${name}, signed by subkeys of several keys, is told by the primary key`, async () => {
    const {signer} = await clearsigned(kind, `debian/${name}_InRelease`)
    assert.equal(signer.fingerprint, fingerprint)
  })
}

for (const [name, kind] of [
  ['trixie-updates', 'debian-security'],
  ['trixie-security', 'debian-archive'],
] as const) {
  test(`Debian's ${name} is refused as one of the kind ${kind}`, async () => {
    await assert.rejects(clearsigned(kind, `debian/${name}_InRelease`), {code: 'ENVS_UNKNOWN_SIGNER'})
  })
}

for (const kind of ['ubuntu-cloud', 'ubuntu-streams', 'ubuntu-archive', 'lxc'] as const) {
  test(`Ubuntu Base's listing is refused as one of the kind ${kind}, whose keys are others`, async () => {
    await assert.rejects(detached(kind, 'ubuntu-base/24.04-20261001', '.gpg'), {
      name: 'UnknownSignerError',
      code: 'ENVS_UNKNOWN_SIGNER',
      exitCode: 6,
      message:
        '"ubuntu-base/24.04-20261001/SHA256SUMS" is not signed by a trusted key: ' +
        'it is signed by 843938DF228D22F7B3742BC0D94AA3F0EFE21092.',
    })
  })
}

test("Kali's listing is refused: its key is pinned for nothing", async () => {
  await assert.rejects(detached('ubuntu-base', 'negative/kali', '.gpg'), {
    code: 'ENVS_UNKNOWN_SIGNER',
    exitCode: 6,
  })
})

test('a stream signed by a test key is refused', async () => {
  const name = 'negative/simplestreams-index-test-key.sjson'
  await assert.rejects(clearsigned('ubuntu-streams', name), {code: 'ENVS_UNKNOWN_SIGNER', exitCode: 6})
})

test('a listing of 2017, signed over SHA-1, is refused, and the error tells what accepts it', async () => {
  await assert.rejects(detached('ubuntu-cloud', 'negative/sha1', '.gpg'), {
    code: 'ENVS_WEAK_DIGEST',
    exitCode: 6,
    suggestions: [
      'Listings of releases that are long out of support carry no other signature; --allow-sha1-signatures accepts them.',
    ],
  })
})

test('a listing of 2017, signed over SHA-1, verifies when SHA-1 is allowed', async () => {
  const {signer, signedAt} = await detached('ubuntu-cloud', 'negative/sha1', '.gpg', true)
  assert.equal(signer.fingerprint, 'D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81')
  assert.equal(signedAt.toISOString(), '2017-01-04T16:53:39.000Z')
})

test('a changed listing is refused when SHA-1 is allowed, too', async () => {
  const bytes = Buffer.from(fixture('negative/sha1/SHA256SUMS'))
  bytes[0] = (bytes[0] ?? 0) ^ 1
  const signature = {name: 'SHA256SUMS.gpg', bytes: fixture('negative/sha1/SHA256SUMS.gpg')}
  await assert.rejects(
    verifyDetached(
      {listing: {name: 'SHA256SUMS', bytes}, signature},
      {keys: await pinnedKeys('ubuntu-cloud'), now: NOW, allowSha1: true},
    ),
    {code: 'ENVS_BAD_SIGNATURE'},
  )
})
