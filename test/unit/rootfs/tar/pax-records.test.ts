import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readPaxRecords} from '../../../../src/rootfs/tar/pax.js'

for (const [what, text, expected] of [
  ['a path', '10 path=a\n', {path: 'a'}],
  ['a value with newlines and equals signs', '18 path=a=\n9 b=c\n\n', {path: 'a=\n9 b=c\n'}],
  ['a value of bytes that are no UTF-8', '11 path=\xff\xe9\n', {path: '\xff\xe9'}],
  ['numbers', '11 size=12\n9 uid=34\n9 gid=56\n', {gid: 56, sizeBytes: 12, uid: 34}],
  ['a time before 1970 with its fraction', '17 mtime=-12.345\n', {modified: '-12.345'}],
  ['a comment', '13 comment=a\n', {comment: 'a'}],
  ['a key nobody knows', '10 what=a\n', {}],
  ['an empty value', '8 path=\n', {}],
  ['records padded with zeros', '10 path=a\n\0\0\0', {path: 'a'}],
  ['the last of two', '10 path=a\n10 path=b\n', {path: 'b'}],
] as const) {
  test(`pax records: ${what}`, () => {
    assert.deepEqual(readPaxRecords(Buffer.from(text, 'latin1')), expected)
  })
}

test('pax records: pairs of a sparse map come in their order', () => {
  const text = '23 GNU.sparse.offset=0\n25 GNU.sparse.numbytes=5\n'
  const again = '25 GNU.sparse.offset=100\n25 GNU.sparse.numbytes=7\n'
  assert.deepEqual(readPaxRecords(Buffer.from(text + again)).sparse?.segments, [
    {offset: 0, sizeBytes: 5},
    {offset: 100, sizeBytes: 7},
  ])
})
