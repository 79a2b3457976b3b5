import assert from 'node:assert/strict'
import {test} from 'node:test'
import {measurePace} from '../../../src/cli/progress.js'

for (const [what, counts, expected] of [
  ['nothing is told at first', [[1000, 0]], undefined],
  [
    'nothing is told before half a second',
    [
      [0, 0],
      [1000, 400],
    ],
    undefined,
  ],
  [
    'the pace is what came in the time',
    [
      [0, 0],
      [3_000_000, 1000],
    ],
    3_000_000,
  ],
  [
    'what was there before counts for nothing',
    [
      [9_000_000, 0],
      [9_500_000, 1000],
    ],
    500_000,
  ],
  [
    'a count that begins anew begins the measure anew',
    [
      [5_000_000, 0],
      [0, 1000],
      [100_000, 2000],
    ],
    100_000,
  ],
  [
    'a standstill shows',
    [
      [0, 0],
      [1_000_000, 1000],
      [1_000_000, 20_000],
      [1_000_000, 40_000],
    ],
    0,
  ],
] as const) {
  test(what, () => {
    const pace = measurePace()
    assert.equal(counts.map(([bytes, atMs]) => pace(bytes, atMs)).at(-1), expected)
  })
}
