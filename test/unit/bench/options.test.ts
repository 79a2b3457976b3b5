import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseOptions} from '../../../bench/options.js'

test('without arguments every subject is measured with enough rounds to be quoted', () => {
  const {subjects, rounds, isQuick} = parseOptions([])
  assert.deepEqual(subjects, ['startup', 'sessions', 'streams', 'layers', 'extraction', 'large', 'fetching'])
  assert.deepEqual(rounds, {
    startup: 21,
    sessions: 21,
    streams: 7,
    layers: 9,
    extraction: 9,
    large: 3,
    fetching: 9,
    bootstrap: 5,
    apt: 3,
    services: 5,
    registry: 3,
    network: 5,
  })
  assert.equal(isQuick, false)
})

test('a number of rounds goes for every subject, quick or not', () => {
  assert.deepEqual(parseOptions(['--quick', '--rounds', '4']).rounds, {
    startup: 4,
    sessions: 4,
    streams: 4,
    layers: 4,
    extraction: 4,
    large: 4,
    fetching: 4,
    bootstrap: 4,
    apt: 4,
    services: 4,
    registry: 4,
    network: 4,
  })
})

for (const text of ['0', '1.5', '-1', 'many', '']) {
  test(`refuses ${JSON.stringify(text)} rounds`, () => {
    assert.throws(() => parseOptions([`--rounds=${text}`]), /^Error: --rounds/)
  })
}

test('refuses a subject there is not', () => {
  assert.throws(() => parseOptions(['start-up']), {message: 'There is no subject start-up.'})
})
