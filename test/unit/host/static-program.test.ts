import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {isStaticProgram} from '../../../src/host/machine/arch.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const [PT_LOAD, PT_INTERP] = [1, 3]

/** The head of an ELF file and its table of segments. @see elf(5) */
function program(segments: readonly number[], {is64 = true, isLittle = true} = {}): Buffer {
  const [start, size] = is64 ? [64, 56] : [52, 32]
  const bytes = Buffer.alloc(start + size * segments.length)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, isLittle ? 1 : 2, 1])
  const short = (value: number, at: number) =>
    isLittle ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at)
  const long = (value: number, at: number) =>
    isLittle ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at)
  // The upper half of a 64-bit offset is nothing.
  long(start, is64 ? (isLittle ? 32 : 36) : 28)
  short(size, is64 ? 54 : 42)
  short(segments.length, is64 ? 56 : 44)
  for (const [index, type] of segments.entries()) long(type, start + index * size)
  return bytes
}

for (const [what, bytes, isStatic] of [
  ['64-bit program without a linker', program([PT_LOAD, PT_LOAD]), true],
  ['64-bit program with one', program([PT_LOAD, PT_INTERP]), false],
  ['32-bit program without a linker', program([PT_LOAD, PT_LOAD], {is64: false}), true],
  ['32-bit program with one', program([PT_INTERP, PT_LOAD], {is64: false}), false],
  ['program of a big-endian processor without a linker', program([PT_LOAD], {isLittle: false}), true],
  ['program of a big-endian processor with one', program([PT_INTERP], {isLittle: false}), false],
  ['program that was cut short', program([PT_LOAD, PT_LOAD]).subarray(0, 100), false],
  ['head alone', program([PT_LOAD]).subarray(0, 20), false],
  ['program without segments', program([]), false],
  ['script', Buffer.from('#!/bin/sh\necho no\n'), false],
  ['file without a byte', Buffer.alloc(0), false],
] as const) {
  test(`a ${what} ${isStatic ? 'needs no library' : 'is not taken for static'}`, async (t) => {
    const path = join(await temporaryFolder(t), 'program')
    await writeFile(path, bytes)
    assert.equal(isStaticProgram(path), isStatic)
  })
}

test('what is not there is no program', () => {
  assert.equal(isStaticProgram('/nowhere/at/all'), false)
})
