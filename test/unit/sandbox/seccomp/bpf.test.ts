import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  encodeProgram,
  loadWord,
  maskWord,
  returnValue,
  whenAtLeast,
  whenEqual,
} from '../../../../src/sandbox/seccomp/filter.js'
import {judge} from '../../../support/bpf-machine.js'

const ONE = returnValue(0x00050001)
const TWO = returnValue(0x00050002)
const ALLOW = returnValue(0x7fff0000)

test('encodes an instruction as the 16, 8, 8 and 32 bits of struct sock_filter, little endian', () => {
  const bytes = encodeProgram([...whenEqual(0x12345678, [ONE]), ALLOW], 'little')
  assert.equal(bytes.toString('hex'), '1500000178563412' + '0600000001000500' + '060000000000ff7f')
})

test('encodes the same program big endian', () => {
  const bytes = encodeProgram([...whenEqual(0x12345678, [ONE]), ALLOW], 'big')
  assert.equal(bytes.toString('hex'), '0015000112345678' + '0006000000050001' + '000600007fff0000')
})

test('encodes a load of a word and a mask with the codes of the kernel', () => {
  const bytes = encodeProgram([loadWord(4), maskWord(0xf000), ALLOW], 'little')
  assert.equal(bytes.subarray(0, 16).toString('hex'), '2000000004000000' + '5400000000f00000')
})

for (const length of [1, 255, 256, 1000]) {
  test(`skips a block of ${length} instructions when the word differs, and runs it when it is equal`, () => {
    const block = Array.from({length}, () => ONE)
    const program = encodeProgram([loadWord(0), ...whenEqual(7, block), TWO], 'little')
    assert.equal(judge(program, {audit: 0, number: 7}), 'errno 1')
    assert.equal(judge(program, {audit: 0, number: 8}), 'errno 2')
  })
}

test('compares as unsigned numbers', () => {
  const program = encodeProgram([loadWord(0), ...whenAtLeast(0x40000000, [ONE]), ALLOW], 'little')
  assert.equal(judge(program, {audit: 0, number: -2}), 'errno 1')
  assert.equal(judge(program, {audit: 0, number: 0x3fffffff}), 'allow')
  assert.equal(judge(program, {audit: 0, number: 0x40000000}), 'errno 1')
})

for (const length of [0, 4097]) {
  test(`refuses a program of ${length} instructions, as the kernel would`, () => {
    const program = Array.from({length}, () => ALLOW)
    assert.throws(() => encodeProgram(program, 'little'), RangeError)
  })
}
