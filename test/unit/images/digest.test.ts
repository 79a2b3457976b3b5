import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseSha256} from '../../../src/images/reference.js'

const DIGITS = '0123456789abcdef'.repeat(4)

for (const text of [DIGITS, DIGITS.toUpperCase(), `sha256:${DIGITS}`, `SHA256:${DIGITS}`, ` ${DIGITS}\n`]) {
  test(`${JSON.stringify(text)} is a digest`, () => {
    assert.equal(parseSha256(text), DIGITS)
  })
}

for (const text of ['', 'sha256:', DIGITS.slice(1), `${DIGITS}0`, `${DIGITS.slice(1)}g`, `md5:${DIGITS}`]) {
  test(`${JSON.stringify(text)} is an error of usage`, () => {
    assert.throws(() => parseSha256(text), {
      name: 'UsageError',
      message: `${JSON.stringify(text)} is not a SHA-256 digest.`,
    })
  })
}
