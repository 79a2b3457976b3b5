import assert from 'node:assert/strict'
import {test} from 'node:test'
import {describeMap, isSameMap, overlaps} from '../../../src/store/integrity/id-maps.js'
import type {IdMap} from '../../../src/store/record.js'

const OWN = {inside: 0, outside: 1000, count: 1}

function map(outside: number, count: number, groups = outside): IdMap {
  const row = (first: number) => [OWN, {inside: 1, outside: first, count}]
  return {uids: row(outside), gids: row(groups)}
}

for (const [what, present, isSame] of [
  ['the same range', map(100_000, 65_535), true],
  ['a range that has grown', map(100_000, 131_071), true],
  ['a range that has shrunk', map(100_000, 1000), false],
  ['another range', map(200_000, 65_535), false],
  ['a range that begins earlier', map(99_999, 65_536), false],
  ['other groups', map(100_000, 65_535, 200_000), false],
] as const) {
  test(`the files of a range still have their owners: ${what}: ${isSame}`, () => {
    assert.equal(isSameMap(map(100_000, 65_535), present), isSame)
  })
}

test('two maps that share ids of the host cannot be in one namespace', () => {
  assert.equal(overlaps(map(100_000, 65_535), map(165_534, 65_535)), true)
  assert.equal(overlaps(map(100_000, 65_535), map(165_535, 65_535)), false)
  assert.equal(overlaps(map(100_000, 65_535), map(200_000, 65_535, 150_000)), true)
})

test('a map is described by its ranges', () => {
  assert.equal(describeMap(map(100_000, 65_535)), '100000-165534')
  assert.equal(describeMap(map(100_000, 10, 200_000)), '100000-100009 for users and 200000-200009 for groups')
})
