import assert from 'node:assert/strict'
import {test} from 'node:test'
import {quantile, summarize} from '../../../bench/statistics.js'

test('the median of an even number of timings lies between the two in the middle', () => {
  assert.equal(quantile([40, 10, 30, 20], 0.5), 25)
})

test('the 90th percentile is weighed between its neighbours', () => {
  assert.equal(quantile([10, 0], 0.9), 9)
})

test('the ratio compares timings of the same round, so a machine that slows down cancels out', () => {
  const {ratio} = summarize([20, 200, 2000], [10, 100, 1000])
  assert.equal(ratio, 2)
})

test('a summary has no ratio when the reference was not timed', () => {
  assert.deepEqual(summarize([3, 1, 2], []), {medianMs: 2, minMs: 1, p90Ms: 2.8, ratio: undefined})
})
