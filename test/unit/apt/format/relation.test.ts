import assert from 'node:assert/strict'
import {test} from 'node:test'
import {isProvided, isWithin, parseRelations} from '../../../../src/apt/format/version.js'

test('groups, alternatives, bounds and architectures are read', () => {
  assert.deepEqual(parseRelations('libc6 (>= 2.41), perl:any, a(<<1:2~)|b , , c (= 1)'), [
    [{name: 'libc6', bound: {operator: '>=', version: '2.41'}}],
    [{name: 'perl'}],
    [{name: 'a', bound: {operator: '<<', version: '1:2~'}}, {name: 'b'}],
    [{name: 'c', bound: {operator: '=', version: '1'}}],
  ])
  assert.deepEqual(parseRelations(''), [])
})

for (const text of ['a b', 'a (1)', 'a (=> 1)', 'a (>= )', '../a', 'a; b', 'A\u001b[2J', 'a |']) {
  test(`${JSON.stringify(text)} is no relation`, () => {
    assert.equal(parseRelations(text), undefined)
  })
}

for (const [operator, versions] of [
  ['<<', [true, false, false]],
  ['<=', [true, true, false]],
  ['<', [true, true, false]],
  ['=', [false, true, false]],
  ['>=', [false, true, true]],
  ['>', [false, true, true]],
  ['>>', [false, false, true]],
] as const) {
  test(`${operator} 2 holds for what it should of 1, 2.0 and 3`, () => {
    const relation = parseRelations(`a (${operator} 2)`)?.[0]?.[0]
    assert.ok(relation)
    assert.deepEqual(
      ['1', '2', '3'].map((version) => isWithin(version, relation)),
      versions,
    )
  })
}

for (const [provided, wanted, expected] of [
  ['awk', 'awk', true],
  ['awk', 'gawk', false],
  ['awk', 'awk (>= 1)', false],
  ['awk (= 2)', 'awk (>= 1)', true],
  ['awk (= 2)', 'awk (<< 2)', false],
  ['awk (= 2)', 'awk', true],
] as const) {
  test(`${wanted} is ${expected ? '' : 'not '}answered by one that provides ${provided}`, () => {
    const [own, asked] = [parseRelations(provided)?.[0]?.[0], parseRelations(wanted)?.[0]?.[0]]
    assert.ok(own && asked)
    assert.equal(isProvided(own, asked), expected)
  })
}
