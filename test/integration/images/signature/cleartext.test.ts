import assert from 'node:assert/strict'
import {test} from 'node:test'
import {verifyCleartext} from '../../../../src/images/signature/verify.js'
import {makeSigner} from '../../../support/signer.js'
import {trusted} from '../../../support/trusted-key.js'

const signer = await makeSigner()
const stranger = await makeSigner({name: 'Stranger'})
const date = new Date('2026-05-01T00:00:00Z')
const options = {keys: [trusted(signer)], now: new Date('2026-06-01T00:00:00Z')}
const name = 'index.sjson'

test('what was signed is given, without its framing and its dash escapes', async () => {
  const bytes = await signer.clearsigned('- one\n-----two\nthree\n', {date})
  const {data, signer: found, signedAt} = await verifyCleartext({name, bytes}, options)
  assert.equal(data.toString(), '- one\n-----two\nthree\n')
  assert.equal(found.fingerprint, signer.fingerprint)
  assert.deepEqual(signedAt, date)
})

test('a file with CRLF line ends gives the same data', async () => {
  const bytes = Buffer.from(
    (await signer.clearsigned('one\ntwo', {date})).toString().replaceAll('\n', '\r\n'),
  )
  assert.equal((await verifyCleartext({name, bytes}, options)).data.toString(), 'one\ntwo')
})

test('blanks that somebody added to the ends of lines are no part of the data', async () => {
  const bytes = Buffer.from(
    (await signer.clearsigned('one\ntwo', {date})).toString().replace('one', 'one \t'),
  )
  assert.equal((await verifyCleartext({name, bytes}, options)).data.toString(), 'one\ntwo')
})

test('letters beyond ASCII come through', async () => {
  const bytes = await signer.clearsigned('Übersicht ж', {date})
  assert.equal((await verifyCleartext({name, bytes}, options)).data.toString(), 'Übersicht ж')
})

test('changed text is refused', async () => {
  const bytes = Buffer.from((await signer.clearsigned('one\ntwo', {date})).toString().replace('two', 'too'))
  await assert.rejects(verifyCleartext({name, bytes}, options), {code: 'ENVS_BAD_SIGNATURE', exitCode: 6})
})

test('a signature by a stranger is refused', async () => {
  const bytes = await stranger.clearsigned('one', {date})
  await assert.rejects(verifyCleartext({name, bytes}, options), {code: 'ENVS_UNKNOWN_SIGNER', exitCode: 6})
})

test('a Hash header that names another digest than the signature has is refused', async () => {
  const bytes = Buffer.from((await signer.clearsigned('one', {date})).toString().replace('SHA512', 'SHA256'))
  await assert.rejects(verifyCleartext({name, bytes}, options), {
    code: 'ENVS_SIGNATURE_UNREADABLE',
    exitCode: 6,
  })
})
