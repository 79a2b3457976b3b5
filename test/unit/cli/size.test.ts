import assert from 'node:assert/strict'
import {test} from 'node:test'
import {formatBytes} from '../../../src/cli/format.js'

for (const [sizeBytes, shown] of [
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [1234, '1.2 kB'],
  [9949, '9.9 kB'],
  [9950, '10 kB'],
  [46_000_000, '46 MB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [1_200_000_000, '1.2 GB'],
  [5e15, '5.0 PB'],
  [5e18, '5000 PB'],
] as const) {
  test(`shows ${sizeBytes} bytes as ${shown}`, () => {
    assert.equal(formatBytes(sizeBytes), shown)
  })
}
