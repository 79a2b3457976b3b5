import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openOwners, parseIdMap} from '../../../../src/rootfs/tree/owners.js'

test('an id map is read line by line', () => {
  assert.deepEqual(parseIdMap('         0       1000          1\n         1     100000      65536\n'), [
    {count: 1, first: 0},
    {count: 65536, first: 1},
  ])
})

test('an id map of another form is refused', () => {
  assert.throws(() => parseIdMap('nonsense'), /not a line of an id map/)
})

test("the caller's rule sets no owner and counts none", () => {
  const owners = openOwners('caller')
  assert.equal(owners.ownerFor({gid: 5_000_000_000, uid: 5_000_000_000}), undefined)
  assert.deepEqual(owners.squashed(), {count: 0, ids: []})
})

test('no owner is set that a new file has without it', () => {
  const owners = openOwners('keep', {born: {uid: 0, gid: 0}})
  assert.equal(owners.ownerFor({gid: 0, uid: 0}), undefined)
  assert.deepEqual(openOwners('keep').ownerFor({gid: 0, uid: 0}), {gid: 0, uid: 0})
})

test('an id no kernel knows is never mapped', () => {
  const owners = openOwners('keep')
  owners.ownerFor({gid: 0, uid: 5_000_000_000})
  assert.deepEqual(owners.squashed(), {count: 1, ids: [5_000_000_000]})
})
