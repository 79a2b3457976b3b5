import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseAge, parseWait} from '../../../src/cli/flags.js'

for (const [text, ms] of [
  ['0', 0],
  ['12h', 43_200_000],
  ['7d', 604_800_000],
  ['2w', 1_209_600_000],
] as const) {
  test(`reads ${text} as an age`, () => {
    assert.equal(parseAge(text), ms)
  })
}

for (const text of ['', '30', 'd', '-1', '1.5d', '7 d', '7D', '1y', '123456', 'constructor']) {
  test(`takes ${JSON.stringify(text)} for no age`, () => {
    assert.throws(() => parseAge(text), {name: 'UsageError'})
  })
}

for (const [text, ms] of [
  ['0', 0],
  ['30s', 30_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
] as const) {
  test(`reads ${text} as a time to wait`, () => {
    assert.equal(parseWait(text), ms)
  })
}

for (const text of ['', '30', '1d', '-1s', '1.5s', 'constructor']) {
  test(`takes ${JSON.stringify(text)} for no time to wait`, () => {
    assert.throws(() => parseWait(text), {name: 'UsageError'})
  })
}
