import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parsePartRecord} from '../../../../src/host/http/part.js'

const DIGEST = 'ab'.repeat(32)

test('a record is read as it was written', () => {
  const record = {schemaVersion: 1, urlDigest: DIGEST, validators: {etag: '"1"', lastModified: 'Fri, 02 Jan'}}
  assert.deepEqual(parsePartRecord(JSON.stringify(record)), record)
})

for (const [what, text] of [
  ['another version', `{"schemaVersion":2,"urlDigest":"${DIGEST}","validators":{}}`],
  ['no object', '[]'],
  ['no validators', `{"schemaVersion":1,"urlDigest":"${DIGEST}"}`],
  ['no digest', '{"schemaVersion":1,"validators":{}}'],
] as const) {
  test(`a record with ${what} counts as none`, () => {
    assert.equal(parsePartRecord(text), undefined)
  })
}

for (const validators of [{etag: '"1"\r\nx: y'}, {lastModified: 'Fri\r\nx: y'}]) {
  test(`a record with a validator that would break a header counts as none: ${Object.keys(validators)}`, () => {
    const text = JSON.stringify({schemaVersion: 1, urlDigest: DIGEST, validators})
    assert.equal(parsePartRecord(text), undefined)
  })
}
