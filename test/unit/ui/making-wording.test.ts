import assert from 'node:assert/strict'
import {test} from 'node:test'
import {keepsDownload} from '../../../src/ui/kept-download.js'
import {describeMakingWithPace, type MakingEvent} from '../../../src/ui/making-wording.js'

const packages = (receivedCount: number, receivedBytes: number): MakingEvent => ({
  ...{stage: 'packages', receivedBytes, totalBytes: 8_000_000, totalCount: 8},
  receivedCount,
})

test('packages that are downloaded come with their pace and the time that is left', () => {
  let nowMs = 0
  const describe = describeMakingWithPace(() => nowMs)
  assert.equal(describe(packages(0, 0)), '0 of 8 packages downloaded, 0 B of 8.0 MB')
  nowMs = 1000
  assert.equal(
    describe(packages(2, 2_000_000)),
    '2 of 8 packages downloaded, 2.0 MB of 8.0 MB, 2.0 MB/s, 3 s left',
  )
})

test('indices have a pace of their own', () => {
  let nowMs = 0
  const describe = describeMakingWithPace(() => nowMs)
  describe(packages(2, 2_000_000))
  nowMs = 1000
  const indices = (receivedBytes: number): MakingEvent => ({
    stage: 'indices',
    receivedBytes,
    totalBytes: 4000,
  })
  assert.equal(describe(indices(1000)), '1.0 kB of 4.0 kB')
  nowMs = 2000
  assert.equal(describe(indices(2000)), '2.0 kB of 4.0 kB, 1.0 kB/s, 2 s left')
})

for (const [what, event, kept] of [
  ['a download that has begun', {stage: 'download', receivedBytes: 1, totalBytes: 2}, true],
  ['a download before its first byte', {stage: 'download', receivedBytes: 0, totalBytes: 2}, false],
  ['a download that is whole', {stage: 'download', receivedBytes: 2, totalBytes: 2}, false],
  ['a download of unknown length', {stage: 'download', receivedBytes: 1, totalBytes: undefined}, false],
  ['packages of which one is whole', packages(1, 1), true],
  ['packages of which none is', packages(0, 1), false],
  ['another stage', {stage: 'selection'}, undefined],
] as const) {
  test(`an interruption keeps of ${what}: ${kept}`, () => assert.equal(keepsDownload(event), kept))
}
