import assert from 'node:assert/strict'
import {test} from 'node:test'
import {nearestNames} from '../../../src/host/nearest.js'

const COMMANDS = ['create', 'enter', 'list', 'path', 'ps', 'rename', 'rm', 'run', 'show', 'stop']

for (const [word, nearest] of [
  ['crate', ['create']],
  ['lst', ['list']],
  ['shwo', ['show']],
  ['rnu', ['run']],
  ['lisst', ['list']],
  ['lost', ['list']],
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
