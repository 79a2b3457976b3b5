import assert from 'node:assert/strict'
import {test} from 'node:test'
import {byteSize, bytesOf} from '../../../src/config/schema.js'

for (const [text, bytes] of [
  ['1k', 1000],
  ['500M', 500_000_000],
  ['20G', 20_000_000_000],
  ['20GB', 20_000_000_000],
  ['2T', 2_000_000_000_000],
] as const) {
  test(`${text} is a size`, () => {
    assert.equal(byteSize.parseText(text), text)
    assert.equal(bytesOf(text), bytes)
  })
}

for (const text of ['', '20', '1.5G', '20g', '20 G', '-1G', '20GiB', '12345678G']) {
  test(`${JSON.stringify(text)} is no size`, () => {
    assert.equal(byteSize.parseText(text), undefined)
  })
}
