import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  freeRangeStart,
  ownRanges,
  parseGetsubids,
  parseSubidFile,
  rangeLine,
} from '../../../src/host/id-mapping.js'

test('reads owner, start and count of every line', () => {
  assert.deepEqual(parseSubidFile('ada:100000:65536\n1001:165536:1000\n'), [
    {owner: 'ada', start: 100000, count: 65536},
    {owner: '1001', start: 165536, count: 1000},
  ])
})

test('reads a last line without a newline', () => {
  assert.deepEqual(parseSubidFile('ada:100000:65536'), [{owner: 'ada', start: 100000, count: 65536}])
})

for (const [what, line] of [
  ['an empty line', ''],
  ['a comment', '# ada:100000:65536 was here'],
  ['a line of two fields', 'ada:100000'],
  ['a line of four fields', 'ada:100000:65536:1'],
  ['a line without an owner', ':100000:65536'],
  ['a start that is no number', 'ada:many:65536'],
  ['a negative start', 'ada:-1:65536'],
  ['a count of none', 'ada:100000:0'],
  ['a count in words', 'ada:100000:65536 ids'],
  ['a range that ends behind the last id', 'ada:4294967000:65536'],
] as const) {
  test(`skips ${what} and keeps the lines around it`, () => {
    const owners = parseSubidFile(`bob:1:1\n${line}\neve:2:2\n`).map(({owner}) => owner)
    assert.deepEqual(owners, ['bob', 'eve'])
  })
}

test('reads what getsubids prints', () => {
  assert.deepEqual(parseGetsubids('0: ada 100000 65536\n1: ada 300000 10\n'), [
    {owner: 'ada', start: 100000, count: 65536},
    {owner: 'ada', start: 300000, count: 10},
  ])
  assert.deepEqual(parseGetsubids('Error fetching ranges\n'), [])
})

const FILE = 'ada:100000:65536\nbob:165536:65536\nada:300000:10\n1000:400000:20\n'

test('finds all ranges of an account, by name and by number, in the order of the file', () => {
  assert.deepEqual(
    ownRanges(FILE, {user: 'ada', uid: 1000}).map(({start}) => start),
    [100000, 300000, 400000],
  )
})

test('finds ranges by number for an account without a name', () => {
  assert.deepEqual(ownRanges(FILE, {user: undefined, uid: 1000}), [{owner: '1000', start: 400000, count: 20}])
})

test('takes no account for another whose name begins alike', () => {
  assert.deepEqual(ownRanges(FILE, {user: 'ad', uid: 100}), [])
})

for (const [what, text, start] of [
  ['an empty file', '', 100000],
  ['one range at the usual start', 'ada:100000:65536', 165536],
  ['ranges out of order', 'bob:165536:65536\nada:100000:65536', 231072],
  ['a gap that is large enough', 'ada:100000:65536\nbob:231072:65536', 165536],
  ['a gap that is too small', 'ada:100000:65536\nbob:231071:65536', 296607],
  ['a range within another', 'ada:100000:200000\nbob:165536:65536', 300000],
  ['a range below the usual start', 'ada:1000:10', 100000],
] as const) {
  test(`a free range behind ${what} begins at ${start}`, () => {
    assert.equal(freeRangeStart(parseSubidFile(text)), start)
  })
}

test('words the line that an administrator has to add', () => {
  assert.equal(rangeLine('eve', parseSubidFile(FILE)), 'eve:231072:65536')
})
