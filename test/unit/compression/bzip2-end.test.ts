import assert from 'node:assert/strict'
import {test} from 'node:test'
import {endsBzip2Stream} from '../../../src/compression/formats.js'

/** The end marker and a checksum of ones, so many bits before the last byte's end. */
function tail(paddingBits: number): Buffer {
  const bits = ((0x177245385090n << 32n) | 0xffffffffn) << BigInt(paddingBits)
  return Buffer.from(bits.toString(16).padStart(22, '0'), 'hex')
}

for (let padding = 0; padding < 8; padding++) {
  test(`a stream that ends ${padding} bits before its last byte does is whole`, () => {
    assert.equal(endsBzip2Stream(tail(padding)), true)
  })
}

for (const [what, bytes] of [
  ['one more byte', Buffer.concat([tail(3).subarray(1), Buffer.from('x')])],
  ['one more zero', Buffer.concat([tail(0).subarray(1), Buffer.alloc(1)])],
  ['nothing', Buffer.alloc(0)],
] as const) {
  test(`${what} at the end is not the end of a stream`, () => {
    assert.equal(endsBzip2Stream(bytes), false)
  })
}
