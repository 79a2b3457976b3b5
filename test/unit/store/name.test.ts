import assert from 'node:assert/strict'
import {test} from 'node:test'
import {UsageError} from '../../../src/errors.js'
import {isEnvironmentName, parseEnvironmentName} from '../../../src/store/environments.js'

for (const name of ['a', '0', 'play', 'ubuntu-24.04', 'a_b', 'a.', 'a-', 'a..b', 'a'.repeat(63)]) {
  test(`takes ${name} for a name`, () => {
    assert.equal(parseEnvironmentName(name), name)
  })
}

for (const text of [
  ...['', '.', '..', '-', '_', '.a', '-a', '_a', 'A', 'aB', 'ä', 'a b', 'a/b', 'a\n', '\na', 'a\0', 'a:b'],
  'a'.repeat(64),
]) {
  test(`takes ${JSON.stringify(text)} for no name`, () => {
    assert.equal(isEnvironmentName(text), false)
    assert.throws(() => parseEnvironmentName(text), UsageError)
  })
}
