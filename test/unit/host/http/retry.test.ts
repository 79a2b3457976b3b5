import assert from 'node:assert/strict'
import {test} from 'node:test'
import {isTransientCode, parseRetryAfter, waitBeforeRetry} from '../../../../src/host/http/retry.js'

const NOW = new Date('2026-01-02T03:04:05Z')

for (const [header, waitMs] of [
  [undefined, undefined],
  ['0', 0],
  ['120', 120_000],
  ['Fri, 02 Jan 2026 03:04:15 GMT', 10_000],
  ['Fri, 02 Jan 2026 03:04:00 GMT', 0],
  ['soon', undefined],
] as const) {
  test(`Retry-After ${header} asks for ${waitMs} ms`, () => {
    assert.equal(parseRetryAfter(header, NOW), waitMs)
  })
}

for (const [failures, random, waitMs] of [
  [1, 1, 500],
  [1, 0, 250],
  [2, 1, 1000],
  [4, 1, 4000],
  [40, 1, 30_000],
] as const) {
  test(`after ${failures} failures and a draw of ${random} the wait is ${waitMs} ms`, () => {
    assert.equal(waitBeforeRetry(failures, {baseMs: 500, retryAfterMs: undefined, random}), waitMs)
  })
}

for (const [code, reached, expected] of [
  ['ECONNRESET', false, true],
  ['ETIMEDOUT', false, true],
  ['EAI_AGAIN', false, true],
  ['ECONNREFUSED', false, false],
  ['ECONNREFUSED', true, true],
  ['ENOTFOUND', false, false],
  ['ENOTFOUND', true, true],
  ['CERT_HAS_EXPIRED', true, false],
] as const) {
  test(`${code} ${reached ? 'after an answer' : 'before any answer'} is ${expected ? '' : 'not '}tried again`, () => {
    assert.equal(isTransientCode(code, {reached}), expected)
  })
}
