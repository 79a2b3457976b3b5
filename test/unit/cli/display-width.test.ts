import assert from 'node:assert/strict'
import {test} from 'node:test'
import {displayWidth, truncateToWidth} from '../../../src/cli/table.js'

for (const [text, columns] of [
  ['', 0],
  ['web', 3],
  ['Grüße', 5],
  ['e\u0301', 1],
  ['日本', 4],
  ['한글', 4],
  ['🎉', 2],
  ['👩‍👧', 2],
  ['❤️', 2],
  ['─', 1],
] as const) {
  test(`gives "${text}" ${columns} columns`, () => {
    assert.equal(displayWidth(text), columns)
  })
}

for (const [text, columns, cut] of [
  ['web', 3, 'web'],
  ['webs', 3, 'we…'],
  ['日本語', 5, '日本…'],
  ['日本語', 4, '日…'],
  ['web', 1, '…'],
  ['web', 0, ''],
] as const) {
  test(`cuts "${text}" to ${columns} columns as "${cut}"`, () => {
    assert.equal(truncateToWidth(text, columns), cut)
  })
}
