import assert from 'node:assert/strict'
import {test} from 'node:test'
import {applyRetention, type History, newHistory, withSnapshot} from '../../../src/store/history.js'
import {newLayerId} from '../../../src/store/layers.js'

/** Noon where the test runs: days are the user's. */
const NOW = new Date(2026, 0, 20, 12)
const HOUR_MS = 3_600_000

/** Snapshots so many hours before now, in that order. */
function madeBefore(hours: readonly number[], kind: 'automatic' | 'manual' | 'replaced'): History {
  return hours.reduce<History>(
    (history, ago) =>
      withSnapshot(
        history,
        {label: `${ago}h`, kind},
        {now: new Date(NOW.getTime() - ago * HOUR_MS), fresh: newLayerId('emulated')},
      ),
    newHistory(newLayerId('emulated'), newLayerId('emulated')),
  )
}

const labels = ({snapshots}: History) => snapshots.map(({label}) => label)
const lastTen = Array.from({length: 10}, (_, index) => (10 - index) / 10)

test('ten automatic snapshots stay, however close together', () => {
  const history = madeBefore(lastTen, 'automatic')
  assert.equal(applyRetention(history, NOW), history)
})

test('of those before, the last of each day stays for a week', () => {
  const history = madeBefore([24 * 9, 24 * 6 + 2, 24 * 6, 49, 48, 5, 4, ...lastTen], 'automatic')
  assert.deepEqual(labels(applyRetention(history, NOW)), [
    ...['144h', '48h', '4h'],
    ...lastTen.map((ago) => `${ago}h`),
  ])
})

test('layers of what is forgotten stay in the present stack', () => {
  const history = madeBefore([5, 4, ...lastTen], 'automatic')
  assert.deepEqual(applyRetention(history, NOW).layers, history.layers)
})

for (const kind of ['manual', 'replaced'] as const) {
  test(`${kind} snapshots stay for ever`, () => {
    const history = madeBefore([24 * 400, ...Array.from({length: 30}, (_, index) => 30 - index)], kind)
    assert.deepEqual(applyRetention(history, NOW), history)
  })
}
