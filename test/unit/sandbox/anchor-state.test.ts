import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseEngine, parseInfo, parseState} from '../../../src/sandbox/anchor-state.js'

const STATE = {schemaVersion: 1, pid: 42, startTime: '1234', bootId: 'b'}

test('reads a state that this version wrote', () => {
  assert.deepEqual(parseState(JSON.stringify(STATE)), STATE)
})

for (const [what, text] of [
  ['nothing', ''],
  ['half of one', JSON.stringify(STATE).slice(0, 20)],
  ['a list', '[1]'],
  ['null', 'null'],
  ['a later version', JSON.stringify({...STATE, schemaVersion: 2})],
  ['pid 1, which is never one of ours', JSON.stringify({...STATE, pid: 1})],
  ['a negative pid, which would be a group', JSON.stringify({...STATE, pid: -42})],
  ['a pid that is a word', JSON.stringify({...STATE, pid: '42'})],
  ['a pid with a fraction', JSON.stringify({...STATE, pid: 4.2})],
  ['a start time that is a number', JSON.stringify({...STATE, startTime: 1234})],
  ['no boot', JSON.stringify({...STATE, bootId: undefined})],
] as const) {
  test(`takes ${what} for no state`, () => {
    assert.equal(parseState(text), undefined)
  })
}

test('reads the child that bwrap names', () => {
  assert.equal(parseInfo('{\n    "child-pid": 4711\n}\n'), 4711)
})

for (const text of ['', '{', '{\n    "child-pid": 47', '{}', '{"child-pid": 0}', '{"child-pid": "9"}', '9']) {
  test(`finds no child in ${JSON.stringify(text)}`, () => {
    assert.equal(parseInfo(text), undefined)
  })
}

test('bwrap does not name itself, and what is damaged is as good as that', () => {
  assert.equal(parseEngine('{"child-pid": 12, "engine": "unshare"}'), 'unshare')
  for (const text of ['{"child-pid": 12}', '{"engine": "other"}', '', '{'])
    assert.equal(parseEngine(text), 'bwrap')
})
