import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readHeaderBlock, readNumber} from '../../../../src/rootfs/tar/header.js'
import {tarMember} from '../../../support/tar-archive.js'

for (const [what, field, expected] of [
  ['octal text', '00000001750\0', 1000],
  ['octal text led by spaces', '       1750 ', 1000],
  ['octal text that fills the field', '777777777777', 8 ** 12 - 1],
  ['base 256', '\x80\0\0\0\0\0\0\x02\0\0\0\0', 2 ** 33],
  ['the largest exact number', '\x80\0\0\0\0\x1f\xff\xff\xff\xff\xff\xff', Number.MAX_SAFE_INTEGER],
] as const) {
  test(`a number field of ${what}`, () => {
    assert.equal(readNumber(Buffer.from(field, 'latin1'), 0, 12), expected)
  })
}

for (const [what, field] of [
  ['nothing', '\0'.repeat(12)],
  ['a letter', '0000000175a\0'],
  ['a digit too high', '00000000008\0'],
  ['a sign', '-0000000001\0'],
  ['a negative base-256 number', '\xff'.repeat(12)],
  ['one more than the largest exact number', '\x80\0\0\0\0\x20\0\0\0\0\0\0'],
] as const) {
  test(`a number field of ${what} is found damaged`, () => {
    assert.throws(() => readNumber(Buffer.from(field, 'latin1'), 0, 12), {code: 'ENVS_ARCHIVE_CORRUPT'})
  })
}

test('a ustar prefix stands before the name', () => {
  const block = tarMember({name: 'name', patches: {345: Buffer.from('a/prefix')}})
  assert.equal(readHeaderBlock(block).name, 'a/prefix/name')
})

test("in GNU's own format there is no prefix, whatever stands in its place", () => {
  const block = tarMember({
    name: 'name',
    patches: {257: Buffer.from('ustar  \0'), 345: Buffer.from('14000000000\0')},
  })
  assert.equal(readHeaderBlock(block).name, 'name')
})

test('a name that fills its field has no end of its own', () => {
  const name = 'n'.repeat(100)
  assert.equal(readHeaderBlock(tarMember({name})).name, name)
})
