import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type MappingObstacle, mappingRemedy, OBSTACLE_EVIDENCE} from '../../../src/host/id-mapping.js'

const FACTS = {user: 'ada', uid: 1000, subuid: 'bob:100000:65536\n', subgid: 'eve:165536:65536\n'}

test('an account without a range is told the line to ask for, free in both files', () => {
  assert.equal(
    mappingRemedy('no-subuid-range', FACTS),
    'Ask an administrator to add this line to /etc/subuid and to /etc/subgid: ada:231072:65536',
  )
})

test('an account without a name is given a range by its number', () => {
  assert.equal(
    mappingRemedy('no-subuid-range', {...FACTS, user: undefined, subuid: '', subgid: ''}),
    'Ask an administrator to add this line to /etc/subuid and to /etc/subgid: 1000:100000:65536',
  )
})

test('no remedy asks the user to become root', () => {
  for (const obstacle of Object.keys(OBSTACLE_EVIDENCE) as MappingObstacle[]) {
    assert.doesNotMatch(mappingRemedy(obstacle, FACTS), /sudo|\bsu\b/)
  }
})
