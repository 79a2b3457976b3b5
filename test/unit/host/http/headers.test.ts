import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  contradicts,
  parseContentRange,
  parseLength,
  strongValidators,
} from '../../../../src/host/http/part.js'

const DATE = 'Fri, 02 Jan 2026 03:04:05 GMT'
const SECOND_BEFORE = 'Fri, 02 Jan 2026 03:04:04 GMT'

for (const [what, headers, validators] of [
  ['a strong ETag', {etag: '"abc"'}, {etag: '"abc"'}],
  ['a weak ETag', {etag: 'W/"abc"'}, {}],
  ['an ETag without quotes', {etag: 'abc'}, {}],
  ['an older date', {date: DATE, 'last-modified': SECOND_BEFORE}, {lastModified: SECOND_BEFORE}],
  ['a date of the same second', {date: DATE, 'last-modified': DATE}, {}],
  ['a date that nothing tells the age of', {'last-modified': DATE}, {}],
] as const) {
  test(`${what} gives ${JSON.stringify(validators)}`, () => {
    assert.deepEqual(strongValidators(headers), validators)
  })
}

for (const [known, headers, expected] of [
  [{etag: '"1"'}, {etag: '"2"'}, true],
  [{etag: '"1"'}, {etag: '"1"'}, false],
  [{etag: '"1"'}, {}, false],
  [{}, {etag: '"1"'}, false],
] as const) {
  test(`${JSON.stringify(headers)} ${expected ? 'contradicts' : 'fits'} ${JSON.stringify(known)}`, () => {
    assert.equal(contradicts(known, headers), expected)
  })
}

for (const [header, range] of [
  ['bytes 5-9/10', {first: 5, totalBytes: 10}],
  ['bytes 5-9/*', {first: 5, totalBytes: undefined}],
  ['bytes */10', {first: undefined, totalBytes: 10}],
  ['bytes 5-9', undefined],
  ['lines 5-9/10', undefined],
  [undefined, undefined],
] as const) {
  test(`Content-Range ${header} is read as ${JSON.stringify(range)}`, () => {
    assert.deepEqual(parseContentRange(header), range)
  })
}

for (const [header, lengthBytes] of [
  ['0', 0],
  ['12', 12],
  ['-1', undefined],
  ['1e3', undefined],
  [undefined, undefined],
] as const) {
  test(`Content-Length ${header} is read as ${lengthBytes}`, () => {
    assert.equal(parseLength(header), lengthBytes)
  })
}
