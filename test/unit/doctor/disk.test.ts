import assert from 'node:assert/strict'
import {test} from 'node:test'
import {isFoldingFlagged, judgePlace, type Place} from '../../../src/doctor/disk.js'

const GIB = 1024 ** 3
const GOOD: Place = {
  folder: '/home/ada',
  isWritable: true,
  freeBytes: 20 * GIB,
  freeInodes: 1_000_000,
  fileSystem: 'ext4',
  foldsCase: false,
  isOverQuota: false,
  options: ['rw', 'relatime'],
}

test('a roomy local disk passes, and the evidence has its figures', () => {
  assert.deepEqual(judgePlace(GOOD), {
    id: 'disk',
    title: 'Disk',
    status: 'pass',
    evidence: '/home/ada: ext4, 20.0 GiB free, 1000000 inodes free.',
    cost: null,
    remedy: null,
    request: null,
  })
})

for (const [what, change, status] of [
  ['can not be written', {isWritable: false}, 'fail'],
  ['is mounted nosuid', {options: ['rw', 'nosuid']}, 'warn'],
  ['is an NFS mount', {fileSystem: 'nfs4'}, 'warn'],
  ['is a Windows disk', {fileSystem: '9p'}, 'fail'],
  ['is memory', {fileSystem: 'tmpfs'}, 'warn'],
  ['folds the case of names', {foldsCase: true}, 'warn'],
  ['has a quota that is used up', {isOverQuota: true}, 'warn'],
  ['has less than a GiB', {freeBytes: GIB - 1}, 'warn'],
  ['has a GiB', {freeBytes: GIB}, 'pass'],
  ['has few inodes', {freeInodes: 49_999}, 'warn'],
  ['makes inodes as needed', {freeInodes: undefined}, 'pass'],
  ['can not be written and is full', {isWritable: false, freeBytes: 0}, 'fail'],
] as const) {
  test(`a place that ${what}: ${status}`, () => {
    assert.equal(judgePlace({...GOOD, ...change}).status, status)
  })
}

test('the attribute F of a folder is found among the others, and not in its path', () => {
  assert.equal(isFoldingFlagged('--------------e----F-- /home/ada\n'), true)
  assert.equal(isFoldingFlagged('--------------e------- /home/F F\n'), false)
})

test('the evidence names every trouble, not the gravest alone', () => {
  const place = {
    ...{...GOOD, options: ['noexec', 'nosuid'], fileSystem: 'nfs4', isWritable: false, freeBytes: 0},
    ...{foldsCase: true, isOverQuota: true},
  }
  assert.equal(
    judgePlace(place).evidence,
    '/home/ada: nfs4, 0.0 GiB free, 1000000 inodes free, noexec, nosuid, case folded, over quota, not writable.',
  )
})
