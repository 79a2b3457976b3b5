import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseAge} from '../../../src/cli/flags.js'

for (const [text, ms] of [
  ['0', 0],
  ['30', 2_592_000_000],
  ['12h', 43_200_000],
  ['7d', 604_800_000],
  ['2w', 1_209_600_000],
] as const) {
  test(`reads ${text} as an age`, () => {
    assert.equal(parseAge(text), ms)
  })
}

for (const text of ['', 'd', '-1', '1.5d', '7 d', '7D', '1y', '123456', 'constructor']) {
  test(`takes ${JSON.stringify(text)} for no age`, () => {
    assert.throws(() => parseAge(text), {name: 'UsageError'})
  })
}
