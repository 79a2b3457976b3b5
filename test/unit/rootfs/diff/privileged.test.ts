import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {Entry} from '../../../../src/rootfs/diff/entries.js'
import {comparePrivileges} from '../../../../src/rootfs/diff/services.js'

const NET_RAW = '0100000200200000000000000000000000000000'

const file = (more: Partial<Entry> = {}): Entry => ({
  kind: 'file',
  mode: 0o755,
  uid: 0,
  gid: 0,
  sizeBytes: 1,
  ...more,
})
const compared = (before: Entry | undefined, after: Entry | undefined) =>
  comparePrivileges({path: 'x', before, after, aspects: []})

for (const [what, before, after, change] of [
  ['is new', undefined, file({mode: 0o4755}), 'added'],
  ['became setgid', file(), file({mode: 0o2755}), 'added'],
  ['got a capability', file(), file({capability: NET_RAW}), 'added'],
  ['is setuid no more', file({mode: 0o4755}), file(), 'removed'],
  ['went', file({mode: 0o4755}), undefined, 'removed'],
  ['has another owner', file({mode: 0o4755}), file({mode: 0o4755, uid: 7}), 'changed'],
  ['became a folder', file({mode: 0o4755}), file({kind: 'folder', mode: 0o2755}), 'removed'],
] as const) {
  test(`a file that ${what} is told of as ${change}`, () => {
    assert.equal(compared(before, after)?.change, change)
  })
}

for (const [what, before, after] of [
  ['gives what it gave, with other content', file({mode: 0o4755}), file({mode: 0o4755, sizeBytes: 9})],
  ['gives what it gave, and may be read by fewer', file({mode: 0o4755}), file({mode: 0o4711})],
  ['never gave anything', file(), file({mode: 0o700})],
] as const) {
  test(`a file that ${what} is not told of`, () => {
    assert.equal(compared(before, after), undefined)
  })
}

test('capabilities are named', () => {
  assert.deepEqual(compared(undefined, file({capability: NET_RAW}))?.capabilities, ['cap_net_raw'])
})
