import assert from 'node:assert/strict'
import {test} from 'node:test'
import {describeMakingWithPace} from '../../../../src/cli/views/making.js'
import type {ArchiveProgress} from '../../../../src/environments/create/wanted-image.js'

const packages = (receivedCount: number, receivedBytes: number): ArchiveProgress => ({
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
  const indices = (receivedBytes: number): ArchiveProgress => ({
    stage: 'indices',
    receivedBytes,
    totalBytes: 4000,
  })
  assert.equal(describe(indices(1000)), '1.0 kB of 4.0 kB')
  nowMs = 2000
  assert.equal(describe(indices(2000)), '2.0 kB of 4.0 kB, 1.0 kB/s, 2 s left')
})

test('packages that are configured come with the time that is left, once enough of them are to tell it from', () => {
  let nowMs = 0
  const describe = describeMakingWithPace(() => nowMs)
  const at = (ms: number, count: number) => {
    nowMs = ms
    return describe({stage: 'configure', count, totalCount: 80})
  }
  assert.equal(at(0, 0), '0 of 80 packages configured')
  assert.equal(at(1000, 20), '20 of 80 packages configured')
  assert.equal(at(4000, 40), '40 of 80 packages configured, 4 s left')
  assert.equal(at(6000, 40), '40 of 80 packages configured, 6 s left')
  assert.equal(at(7000, 80), '80 of 80 packages configured')
})

test('one package that is slow at first tells nothing of the others', () => {
  let nowMs = 0
  const describe = describeMakingWithPace(() => nowMs)
  const at = (ms: number, count: number) => {
    nowMs = ms
    return describe({stage: 'unpack', count, totalCount: 80, bytes: 1000})
  }
  at(0, 0)
  assert.equal(at(9000, 7), '7 of 80 packages unpacked, 1.0 kB')
  assert.equal(at(9000, 8), '8 of 80 packages unpacked, 1.0 kB, 81 s left')
})

test('an image that is packed comes with the size that was unpacked, the pace and the time that is left', () => {
  let nowMs = 0
  const describe = describeMakingWithPace(() => nowMs)
  describe({stage: 'unpack', count: 8, totalCount: 8, bytes: 4_000_000})
  assert.equal(describe({stage: 'pack', bytes: 0}), '0 B of 4.0 MB')
  nowMs = 1000
  assert.equal(describe({stage: 'pack', bytes: 1_000_000}), '1.0 MB of 4.0 MB, 1.0 MB/s, 3 s left')
})
