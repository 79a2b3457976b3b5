import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  LongLineError,
  type Paragraph,
  parseParagraphs,
  readParagraphs,
} from '../../../../src/apt/format/control.js'

const TEXT = `Package: one
Depends: a,
 b,
\tc
Ignored: x
 y
version: 1

Package: two
# no field
Version:  2\u0020
Version: 3


X: not asked for

Package: three`

const FIELDS = ['Version', 'Package', 'Depends']
const PARAGRAPHS = [['1', 'one', 'a,\nb,\nc'], ['3', 'two'], [], [undefined, 'three']]

const plain = (paragraphs: readonly Paragraph[]) => paragraphs.map((each) => Array.from(each))

test('values come in the order that was asked for, with their continuation lines', () => {
  assert.deepEqual(plain(parseParagraphs(Buffer.from(TEXT), FIELDS)), PARAGRAPHS)
})

for (const pieceBytes of [1, 2, 3, 7, 64]) {
  test(`pieces of ${pieceBytes} bytes give the same`, () => {
    const found: Paragraph[] = []
    const reader = readParagraphs(FIELDS, (paragraph) => found.push(paragraph))
    const bytes = Buffer.from(TEXT)
    const piece = Buffer.alloc(pieceBytes)
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      // The same memory each time, as a decoder hands it out.
      const length = bytes.copy(piece, 0, at, at + pieceBytes)
      reader.push(piece.subarray(0, length))
    }
    reader.end()
    assert.deepEqual(plain(found), PARAGRAPHS)
  })
}

for (const [what, text] of [
  ['a longer name that begins alike', 'Package-List: x\nPackage: one\n'],
  ['a shorter name', 'Pack: x\nPackage: one\n'],
  ['a field without a colon', 'Package one\nPackage: one\n'],
] as const) {
  test(`${what} is another field`, () => {
    assert.deepEqual(plain(parseParagraphs(Buffer.from(text), ['Package'])), [['one']])
  })
}

test('lines may end as on Windows, and a line of blanks goes on with its field', () => {
  const text = 'Package: one\r\nDepends: a\r\n \r\n b\r\n\r\nPackage: two\r\n'
  assert.deepEqual(plain(parseParagraphs(Buffer.from(text), ['Package', 'Depends'])), [
    ['one', 'a\n\nb'],
    ['two'],
  ])
})

test('bytes that are no UTF-8 stay what they are', () => {
  const [paragraph] = parseParagraphs(Buffer.from('Package: \xff\xfe', 'latin1'), ['Package'])
  assert.equal(paragraph?.[0], '\xff\xfe')
})

test('an empty text has no paragraphs', () => {
  assert.deepEqual(parseParagraphs(Buffer.from('\n\n'), ['Package']), [])
})

test('a line without an end is refused before it fills the memory', () => {
  const reader = readParagraphs(['Package'], () => {})
  const piece = Buffer.alloc(1024 * 1024, 'x')
  assert.throws(() => {
    for (let count = 0; count < 8; count++) reader.push(piece)
  }, LongLineError)
})
