import assert from 'node:assert/strict'
import {test} from 'node:test'
import {freeLabel, newHistory, parseLabel, timeLabel, withNamed} from '../../../src/store/history.js'
import {newLayerId} from '../../../src/store/layers.js'
import {mostLayers} from '../../../src/store/squash.js'

const history = newHistory(newLayerId('mapped'), newLayerId('mapped'))
/** In the time zone of whoever runs the test. */
const NOON = new Date(2026, 0, 2, 12, 3, 4)

test('a label says when', () => {
  assert.equal(timeLabel(history, NOON), '20260102-120304')
  assert.equal(timeLabel(history, NOON, 'auto-'), 'auto-20260102-120304')
})

test('a second label of the same second has a number', () => {
  const once = withNamed(history, {label: 'x', kind: 'manual'}, {now: NOON})
  const twice = withNamed(once, {label: 'x-2', kind: 'manual'}, {now: NOON})
  assert.deepEqual(
    [history, once, twice].map((each) => freeLabel(each, 'x')),
    ['x', 'x-2', 'x-3'],
  )
})

for (const text of ['a', '1', 'before-upgrade', 'v1.2_x', 'a'.repeat(63)]) {
  test(`${text} can be a label`, () => {
    assert.equal(parseLabel(text), text)
  })
}

for (const text of ['', '-a', '.a', 'A', 'a b', 'a/b', 'a'.repeat(64), 'ä', 'a\n']) {
  test(`${JSON.stringify(text)} can't be a label`, () => {
    assert.throws(() => parseLabel(text), {code: 'ENVS_USAGE'})
  })
}

for (const {what, folder, most} of [
  {what: 'a usual store', folder: '/home/user/.local/share/envs/layers', most: 24},
  {what: 'a store far down', folder: `/${'x'.repeat(203)}/layers`, most: 11},
]) {
  test(`in ${what}, ${most} layers fit below an upper one`, () => {
    assert.equal(mostLayers(folder, newLayerId('mapped')), most)
  })
}
