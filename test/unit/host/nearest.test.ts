import assert from 'node:assert/strict'
import {test} from 'node:test'
import {editDistance, nearestNames} from '../../../src/host/nearest.js'

for (const [from, to, distance] of [
  ['', '', 0],
  ['list', 'list', 0],
  ['', 'run', 3],
  ['lst', 'list', 1],
  ['lisst', 'list', 1],
  ['lost', 'list', 1],
  ['lits', 'list', 1],
  ['kitten', 'sitting', 3],
] as const) {
  test(`counts ${distance} edits between "${from}" and "${to}"`, () => {
    assert.equal(editDistance(from, to), distance)
    assert.equal(editDistance(to, from), distance)
  })
}

const COMMANDS = ['create', 'enter', 'list', 'path', 'ps', 'rename', 'rm', 'run', 'show', 'stop']

for (const [word, nearest] of [
  ['crate', ['create']],
  ['lst', ['list']],
  ['shwo', ['show']],
  ['sto', ['stop', 'show']],
  ['cr', ['create']],
  ['kubernetes', []],
  ['x', []],
] as const) {
  test(`takes "${word}" for ${nearest.join(', ') || 'nothing it knows'}`, () => {
    assert.deepEqual(nearestNames(word, COMMANDS), nearest)
  })
}

test('names at most three', () => {
  assert.deepEqual(nearestNames('web', ['web1', 'web2', 'web3', 'web4']), ['web1', 'web2', 'web3'])
})
