import assert from 'node:assert/strict'
import {test} from 'node:test'
import {idMap} from '../../../src/host/id-mapping.js'

test("root is the caller, and the range follows from 1 on, one shorter for root's sake", () => {
  assert.equal(idMap(1000, {owner: 'ada', start: 100000, count: 65536}), '0,1000,1,1,100000,65535')
})

test('a range of one id leaves nothing beside root', () => {
  assert.equal(idMap(1000, {owner: 'ada', start: 100000, count: 1}), '0,1000,1')
})
