import assert from 'node:assert/strict'
import {test} from 'node:test'
import {compareSerials, isSerial, serialDay} from '../../../../src/images/sources/listings.js'

for (const [text, expected] of [
  ['20260518', true],
  ['20260518.10', true],
  ['20260829_05:24', true],
  ['2026051', false],
  ['20260518.', false],
  ['20260518/..', false],
  ['release', false],
] as const) {
  test(`${text} is ${expected ? 'a' : 'no'} serial`, () => {
    assert.equal(isSerial(text), expected)
  })
}

test('serials are ordered by date, then by number and not by letter', () => {
  const serials = ['20260518.10', '20260519', '20260518.9', '20260518', '20260518_05:24', '20260518_12:03']
  assert.deepEqual(serials.sort(compareSerials), [
    '20260518',
    '20260518.9',
    '20260518.10',
    '20260518_05:24',
    '20260518_12:03',
    '20260519',
  ])
})

for (const [serial, day] of [
  ['20260829_05:24', '2026-08-29T00:00:00.000Z'],
  ['20261399', undefined],
  ['now', undefined],
] as const) {
  test(`the day of ${serial} is ${day}`, () => {
    assert.equal(serialDay(serial)?.toISOString(), day)
  })
}
