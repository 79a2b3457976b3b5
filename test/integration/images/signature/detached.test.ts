import assert from 'node:assert/strict'
import {test} from 'node:test'
import {fileURLToPath} from 'node:url'
import {createMessage, generateKey, reformatKey, revokeKey, sign} from 'openpgp'
import {readKeyring} from '../../../../src/images/signature/keyring.js'
import {verifyDetached} from '../../../../src/images/signature/verify.js'
import {fixture} from '../../../support/fixture.js'
import {makeSigner} from '../../../support/signer.js'
import {trusted} from '../../../support/trusted-key.js'

const LISTING = Buffer.from('a listing\n')
const NOW = new Date('2026-06-01T12:00:00Z')
const DAY_MS = 86_400_000

function pair(signature: Buffer, bytes: Buffer = LISTING) {
  return {listing: {name: 'SHA256SUMS', bytes}, signature: {name: 'SHA256SUMS.gpg', bytes: signature}}
}

const signer = await makeSigner()
const stranger = await makeSigner({name: 'Stranger'})
const options = {keys: [trusted(signer)], now: NOW}
const date = new Date('2026-05-01T00:00:00Z')

test('an armoured signature by a trusted key verifies', async () => {
  const verified = await verifyDetached(pair(await signer.detached(LISTING, {date})), options)
  assert.deepEqual(verified, {
    signer: {fingerprint: signer.fingerprint, name: 'Test Publisher'},
    signedAt: date,
    isClockBehind: false,
    data: LISTING,
  })
})

test('a binary signature by a trusted key verifies', async () => {
  const {signedAt} = await verifyDetached(pair(await signer.binary(LISTING, {date})), options)
  assert.deepEqual(signedAt, date)
})

test('a signature with CRLF line ends verifies', async () => {
  const armoured = (await signer.detached(LISTING, {date})).toString().replaceAll('\n', '\r\n')
  assert.deepEqual((await verifyDetached(pair(Buffer.from(armoured)), options)).signedAt, date)
})

for (const [where, bytes] of [
  ['before', Buffer.concat([Buffer.from('x'), LISTING])],
  ['behind', Buffer.concat([LISTING, Buffer.from('more\n')])],
  ['within', Buffer.from('a Listing\n')],
] as const) {
  test(`a listing with other bytes ${where} it is refused`, async () => {
    await assert.rejects(verifyDetached(pair(await signer.detached(LISTING, {date}), bytes), options), {
      name: 'BadSignatureError',
      code: 'ENVS_BAD_SIGNATURE',
      exitCode: 6,
      message: 'The signature of "SHA256SUMS" by Test Publisher does not match its content.',
    })
  })
}

test('a listing with other line ends is refused', async () => {
  const signature = await signer.detached(Buffer.from('a listing\n'), {date})
  await assert.rejects(verifyDetached(pair(signature, Buffer.from('a listing\r\n')), options), {
    code: 'ENVS_BAD_SIGNATURE',
  })
})

test('one good signature is enough, whatever stands beside it', async () => {
  const parts = [
    await stranger.binary(LISTING, {date}),
    await signer.binary(Buffer.from('something else'), {date}),
    await signer.binary(LISTING, {date}),
  ]
  const {signer: found} = await verifyDetached(pair(Buffer.concat(parts)), options)
  assert.equal(found.fingerprint, signer.fingerprint)
})

test('all of several concatenated armours are read', async () => {
  const parts = [await stranger.detached(LISTING, {date}), await signer.detached(LISTING, {date})]
  const {signer: found} = await verifyDetached(pair(Buffer.concat(parts)), options)
  assert.equal(found.fingerprint, signer.fingerprint)
})

test('a signature by a key that is not trusted is refused by its fingerprint', async () => {
  await assert.rejects(verifyDetached(pair(await stranger.detached(LISTING, {date})), options), {
    code: 'ENVS_UNKNOWN_SIGNER',
    message: `"SHA256SUMS" is not signed by a trusted key: it is signed by ${stranger.fingerprint}.`,
  })
})

test('without a trusted key nothing verifies', async () => {
  await assert.rejects(verifyDetached(pair(await signer.detached(LISTING, {date})), {...options, keys: []}), {
    code: 'ENVS_UNKNOWN_SIGNER',
  })
})

test('a key that has expired since verifies what it signed before', async () => {
  const expired = await makeSigner({lifetimeSeconds: 86_400})
  const signature = await expired.detached(LISTING, {date: new Date('2020-01-01T12:00:00Z')})
  const {signedAt} = await verifyDetached(pair(signature), {...options, keys: [trusted(expired)]})
  assert.equal(signedAt.toISOString(), '2020-01-01T12:00:00.000Z')
})

test('a key that had expired before it signed is refused', async () => {
  const {publicKey} = await reformatKey({
    privateKey: signer.privateKey,
    userIDs: [{name: 'Test Publisher'}],
    keyExpirationTime: 86_400,
    date: signer.privateKey.getCreationTime(),
    format: 'object',
  })
  const keys = [{fingerprint: signer.fingerprint, name: 'Test Publisher', key: publicKey}]
  await assert.rejects(verifyDetached(pair(await signer.detached(LISTING, {date})), {...options, keys}), {
    code: 'ENVS_UNUSABLE_KEY',
    exitCode: 6,
  })
})

test('a key of 1024 bits is refused, trusted or not', async () => {
  const config = {minRSABits: 1024}
  const {privateKey} = await generateKey({
    userIDs: [{name: 'Weak'}],
    type: 'rsa',
    rsaBits: 1024,
    subkeys: [],
    format: 'object',
    config,
  })
  const signature = await sign({
    message: await createMessage({binary: new Uint8Array(LISTING)}),
    signingKeys: privateKey,
    detached: true,
    config,
  })
  const keys = [{fingerprint: 'WEAK', name: 'Weak', key: privateKey.toPublic()}]
  await assert.rejects(verifyDetached(pair(Buffer.from(signature)), {...options, now: new Date(), keys}), {
    code: 'ENVS_UNUSABLE_KEY',
    message: 'The signature of "SHA256SUMS" is by Weak, a key that was not valid for it.',
  })
})

async function signedForOneDay(now: string) {
  const path = fileURLToPath(new URL('../../../fixtures/signature-expired/key.asc', import.meta.url))
  const files = pair(fixture('signature-expired/SHA256SUMS.gpg'), fixture('signature-expired/SHA256SUMS'))
  return verifyDetached(files, {keys: await readKeyring(path), now: new Date(now)})
}

test('a signature that says until when it holds verifies until then', async () => {
  assert.equal((await signedForOneDay('2026-05-01T23:59:59Z')).signer.name, 'Expiring Test')
})

test('a signature that says until when it holds is refused after that', async () => {
  await assert.rejects(signedForOneDay('2026-05-02T00:00:00Z'), {
    code: 'ENVS_SIGNATURE_EXPIRED',
    exitCode: 6,
    message: 'The signature of "SHA256SUMS", made on 2026-05-01T00:00:00.000Z, has expired.',
  })
})

test('a key that was revoked is refused, for what it signed before as well', async () => {
  const {publicKey} = await revokeKey({
    key: signer.privateKey,
    format: 'object',
    date: new Date('2026-05-20T00:00:00Z'),
  })
  const keys = [{fingerprint: signer.fingerprint, name: 'Test Publisher', key: publicKey}]
  await assert.rejects(verifyDetached(pair(await signer.detached(LISTING, {date})), {...options, keys}), {
    code: 'ENVS_UNUSABLE_KEY',
    exitCode: 6,
  })
})

test('a signature a day newer than the clock verifies and says that the clock is behind', async () => {
  const signature = await signer.detached(LISTING, {date: new Date(NOW.getTime() + DAY_MS)})
  assert.equal((await verifyDetached(pair(signature), options)).isClockBehind, true)
})

test('a signature a minute newer than the clock is nothing to speak of', async () => {
  const signature = await signer.detached(LISTING, {date: new Date(NOW.getTime() + 60_000)})
  assert.equal((await verifyDetached(pair(signature), options)).isClockBehind, false)
})

test('a signature of years to come is refused', async () => {
  const signature = await signer.detached(LISTING, {date: new Date('2028-01-01T00:00:00Z')})
  await assert.rejects(verifyDetached(pair(signature), options), {
    code: 'ENVS_SIGNATURE_FROM_FUTURE',
    exitCode: 6,
    message:
      'The signature of "SHA256SUMS" is dated 2028-01-01T00:00:00.000Z; the clock of this host says 2026-06-01T12:00:00.000Z.',
  })
})

for (const [what, bytes, reason] of [
  ['nothing', Buffer.alloc(0), 'it holds no signature of a document'],
  ['an error page', Buffer.from('<html>404 not found</html>\n'), 'it holds no signature of a document'],
  [
    'an armour that is cut off',
    Buffer.from('-----BEGIN PGP SIGNATURE-----\n\nwsB'),
    'an armoured block has no end',
  ],
  ['a damaged binary signature', Buffer.from([0x89, 1, 2, 3]), 'it is not in the format of OpenPGP'],
] as const) {
  test(`${what} in place of the signature is refused as no signature`, async () => {
    await assert.rejects(verifyDetached(pair(bytes), options), {
      name: 'SignatureUnreadableError',
      code: 'ENVS_SIGNATURE_UNREADABLE',
      exitCode: 6,
      message: `Could not read the signature of "SHA256SUMS": ${reason}.`,
    })
  })
}

test('a damaged armour is refused as no signature', async () => {
  const armoured = (await signer.detached(LISTING, {date})).toString()
  const damaged = armoured.replace(/\n\n.{8}/, '\n\n!!!!!!!!')
  await assert.rejects(verifyDetached(pair(Buffer.from(damaged)), options), {
    code: 'ENVS_SIGNATURE_UNREADABLE',
  })
})

test('a flood of signatures is refused before any is computed', async () => {
  const one = await signer.binary(LISTING, {date})
  await assert.rejects(verifyDetached(pair(Buffer.concat(Array.from({length: 17}, () => one))), options), {
    code: 'ENVS_SIGNATURE_UNREADABLE',
    message: 'Could not read the signature of "SHA256SUMS": it holds more than 16 signatures.',
  })
})

test('a signature over text, which would leave the line ends open, is no signature of a listing', async () => {
  const clearsigned = (await signer.clearsigned('a listing', {date})).toString()
  const armour = clearsigned.slice(clearsigned.indexOf('-----BEGIN PGP SIGNATURE-----'))
  await assert.rejects(verifyDetached(pair(Buffer.from(armour), Buffer.from('a listing')), options), {
    code: 'ENVS_SIGNATURE_UNREADABLE',
  })
})
