import assert from 'node:assert/strict'
import {test} from 'node:test'
import {verifyCleartext} from '../../../../src/images/signature/verify.js'
import {makeSigner} from '../../../support/signer.js'
import {trusted} from '../../../support/trusted-key.js'

const signer = await makeSigner()
const now = new Date('2026-06-01T00:00:00Z')
const date = new Date('2026-05-01T00:00:00Z')
const good = (await signer.clearsigned('{"one": 1}', {date})).toString()
const other = (await signer.clearsigned('{"two": 2}', {date})).toString()

// In each of these the signature of the first message is good: only what surrounds it is not signed.
for (const [what, text, reason] of [
  ['text in front', `{"evil": 1}\n${good}`, 'it does not begin as a clearsigned message'],
  ['text behind', `${good}\n{"evil": 1}\n`, 'there is text after the message'],
  ['a second message', `${good}\n${other}`, 'there is text after the message'],
  ['a second message with no line between', `${good.trimEnd()}\n${other}`, 'there is text after the message'],
  [
    'a message in front that nobody ended',
    `-----BEGIN PGP SIGNED MESSAGE-----\n\nevil\n${good}`,
    'one of its lines begins like an armour',
  ],
  ['a byte order mark', `\uFEFF${good}`, 'it begins with a byte order mark'],
  ['no armour at all', '{"evil": 1}\n', 'it does not begin as a clearsigned message'],
  ['no signature', good.slice(0, good.indexOf('-----BEGIN PGP SIGNATURE')), 'its signature is cut off'],
  ['half a signature', good.slice(0, -40), 'its signature is cut off'],
  [
    'a signature in front of the message',
    `${good.slice(good.indexOf('-----BEGIN PGP SIGNATURE'))}${good}`,
    'it does not begin as a clearsigned message',
  ],
  ['nothing', '', 'it does not begin as a clearsigned message'],
] as const) {
  test(`a clearsigned file with ${what} is refused`, async () => {
    await assert.rejects(
      verifyCleartext({name: 'index.sjson', bytes: Buffer.from(text)}, {keys: [trusted(signer)], now}),
      {
        code: 'ENVS_CLEARSIGNED_FRAME',
        exitCode: 6,
        message: `"index.sjson" must be one clearsigned message and nothing else: ${reason}.`,
      },
    )
  })
}

test('bytes that are no UTF-8 are refused, for what is read of them is not what was signed', async () => {
  const bytes = Buffer.from(good)
  bytes[good.indexOf('one')] = 0xff
  await assert.rejects(verifyCleartext({name: 'index.sjson', bytes}, {keys: [trusted(signer)], now}), {
    code: 'ENVS_CLEARSIGNED_FRAME',
    message: '"index.sjson" must be one clearsigned message and nothing else: it is not UTF-8.',
  })
})

test('an armour within the signature is refused', async () => {
  const bytes = Buffer.from(good.replace('-----END', '-----BEGIN PGP SIGNATURE-----\n-----END'))
  await assert.rejects(verifyCleartext({name: 'index.sjson', bytes}, {keys: [trusted(signer)], now}), {
    message:
      '"index.sjson" must be one clearsigned message and nothing else: a line of its signature begins like an armour.',
  })
})

test('blank lines around a clearsigned message do no harm', async () => {
  const bytes = Buffer.from(`\n \n${good}\n\n`)
  const {data} = await verifyCleartext({name: 'index.sjson', bytes}, {keys: [trusted(signer)], now})
  assert.equal(data.toString(), '{"one": 1}')
})
