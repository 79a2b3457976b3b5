import assert from 'node:assert/strict'
import {test} from 'node:test'
import {DEFAULT_LIMITS} from '../../../../src/rootfs/limits.js'
import {memberPath} from '../../../../src/rootfs/tree/paths.js'

for (const [name, expected] of [
  ['usr/bin', 'usr/bin'],
  ['./usr/bin/', 'usr/bin'],
  ['/usr//bin/.', 'usr/bin'],
  ['.', ''],
  ['./', ''],
  ['/', ''],
  ['', ''],
  ['...', '...'],
  ['..a/b..', '..a/b..'],
  ['a\\..\\b', 'a\\..\\b'],
  ['\xff\xfe', '\xff\xfe'],
] as const) {
  test(`the name ${JSON.stringify(name)} means ${JSON.stringify(expected)}`, () => {
    assert.equal(memberPath(name, DEFAULT_LIMITS), expected)
  })
}

for (const name of [
  '..',
  '../a',
  'a/..',
  'a/../b',
  '/..',
  './../a',
  'a\0b',
  'n'.repeat(256),
  'n/'.repeat(2049),
]) {
  test(`the name ${JSON.stringify(name.slice(0, 20))} of ${name.length} bytes is refused`, () => {
    assert.throws(() => memberPath(name, DEFAULT_LIMITS), {name: 'PathRefusal'})
  })
}
