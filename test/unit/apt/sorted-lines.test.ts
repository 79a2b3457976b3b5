import assert from 'node:assert/strict'
import {test} from 'node:test'
import {LineStore, SortedLines} from '../../../src/apt/package-index.js'

function sorted(lines: readonly (readonly [string, string])[]): SortedLines {
  const store = new LineStore()
  for (const [key, rest] of lines) store.add(key, `${key}\t${rest}`)
  const bytes = Buffer.alloc(store.sizeBytes)
  assert.equal(store.writeSorted(bytes, 0), bytes.length)
  return new SortedLines(bytes)
}

test('each key is found among many that were put in without order', () => {
  const names = Array.from({length: 1000}, (_, number) => `lib${(number * 7919) % 1000}`)
  const lines = sorted(names.map((name) => [name, `rest of ${name}`]))
  for (const name of names) assert.deepEqual(lines.find(name), [`rest of ${name}`])
})

test('a key of several lines gives them all, a part of a key none', () => {
  const lines = sorted([
    ['ab', '2'],
    ['a', '1'],
    ['ab', '3'],
    ['a+b', '4'],
  ])
  assert.deepEqual(lines.find('ab'), ['2', '3'])
  assert.deepEqual(lines.find('a'), ['1'])
  assert.deepEqual(lines.find('a+b'), ['4'])
  for (const missing of ['', 'b', 'abc', 'aa', '\t']) assert.deepEqual(lines.find(missing), [])
  assert.deepEqual([...lines.keys()], ['a', 'a+b', 'ab'])
})

test('nothing is found where there is nothing', () => {
  const lines = sorted([])
  assert.deepEqual(lines.find('a'), [])
  assert.deepEqual([...lines.keys()], [])
})

test('a line longer than the pieces it is kept in is whole', () => {
  const long = 'x'.repeat(3_000_000)
  const lines = sorted([
    ['b', long],
    ['a', '1'],
  ])
  assert.deepEqual(lines.find('b'), [long])
  assert.deepEqual(lines.find('a'), ['1'])
})
