import assert from 'node:assert/strict'
import {test} from 'node:test'
import {judgePlace, type Place} from '../../../../src/host/doctor/disk.js'

const GIB = 1024 ** 3
const GOOD: Place = {
  folder: '/home/ada',
  isWritable: true,
  freeBytes: 20 * GIB,
  freeInodes: 1_000_000,
  isNfs: false,
  options: ['rw', 'relatime'],
}

test('a roomy local disk passes, and the evidence has its figures', () => {
  assert.deepEqual(judgePlace(GOOD), {
    id: 'disk',
    title: 'Disk',
    status: 'pass',
    evidence: '/home/ada: 20.0 GiB free, 1000000 inodes free.',
    cost: null,
    remedy: null,
  })
})

for (const [what, change, status] of [
  ['can not be written', {isWritable: false}, 'fail'],
  ['is mounted noexec', {options: ['rw', 'noexec']}, 'fail'],
  ['is mounted nosuid', {options: ['rw', 'nosuid']}, 'warn'],
  ['is an NFS mount', {isNfs: true}, 'warn'],
  ['has less than a GiB', {freeBytes: GIB - 1}, 'warn'],
  ['has a GiB', {freeBytes: GIB}, 'pass'],
  ['has few inodes', {freeInodes: 49_999}, 'warn'],
  ['makes inodes as needed', {freeInodes: undefined}, 'pass'],
  ['is mounted noexec and full', {options: ['noexec'], freeBytes: 0}, 'fail'],
] as const) {
  test(`a place that ${what}: ${status}`, () => {
    assert.equal(judgePlace({...GOOD, ...change}).status, status)
  })
}

test('the evidence names every trouble, not the gravest alone', () => {
  const place = {...GOOD, options: ['noexec', 'nosuid'], isNfs: true, isWritable: false, freeBytes: 0}
  assert.equal(
    judgePlace(place).evidence,
    '/home/ada: 0.0 GiB free, 1000000 inodes free, noexec, nosuid, NFS, not writable.',
  )
})
