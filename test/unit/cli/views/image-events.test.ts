import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {StageTiming} from '../../../../src/cli/progress.js'
import {formatRate, formatTook} from '../../../../src/cli/progress.js'
import {describeImageEvents} from '../../../../src/cli/views/image-stages.js'
import {timingRows} from '../../../../src/cli/views/timings.js'

test('a download has a size, a pace and the time that is left', () => {
  let nowMs = 0
  const describe = describeImageEvents(() => nowMs)
  const at = (receivedBytes: number) => describe({stage: 'download', receivedBytes, totalBytes: 3000})
  assert.equal(at(0), '0 B of 3.0 kB')
  nowMs = 1000
  assert.equal(at(1000), '1.0 kB of 3.0 kB, 1.0 kB/s, 2 s left')
})

test('an extraction has the time that is left, by how much of the tarball was read', () => {
  let nowMs = 0
  const describe = describeImageEvents(() => nowMs)
  const lines = [0, 1000, 2000, 4000].map((readBytes) => {
    const archive = {readBytes, totalBytes: 4000}
    const line = describe({stage: 'extraction', entries: 5, bytes: 2000, archive})
    nowMs += 1000
    return line
  })
  assert.deepEqual(lines, [
    '5 members, 2.0 kB',
    '5 members, 2.0 kB, 3 s left',
    '5 members, 2.0 kB, 2 s left',
    '5 members, 2.0 kB, 1 s left',
  ])
})

const timing = (title: string, startedAtMs: number, endedAtMs: number, bytes?: number): StageTiming => ({
  ...{title, startedAtMs, endedAtMs, bytes},
})

test('timings are in the order in which the stages began, with the time from the first to the last', () => {
  const rows = timingRows([
    timing('Download', 10, 5010, 10_000_000),
    timing('Find', 0, 10),
    timing('Unpack', 100, 4000),
  ])
  assert.deepEqual(
    rows.map((row) => [row.title, formatTook(row), formatRate(row)]),
    [
      ['Find', '0.0 s', undefined],
      ['Download', '5.0 s', '2.0 MB/s'],
      ['Unpack', '3.9 s', undefined],
      ['Total', '5.0 s', undefined],
    ],
  )
})
