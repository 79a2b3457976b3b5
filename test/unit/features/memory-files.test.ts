import assert from 'node:assert/strict'
import {test} from 'node:test'
import {memoryShare} from '../../../src/features/memory-files.js'

const MIB = 1024 ** 2

for (const [what, setting, freeBytes, expected] of [
  ['a quarter of what is free', undefined, 8192 * MIB, 2048 * MIB],
  ['the least that is of use', undefined, 2048 * MIB, 512 * MIB],
  ['nothing where a quarter is too little', undefined, 2047 * MIB, undefined],
  ['what the user said', '300M', 8192 * MIB, 300_000_000],
  ['no more than is free', '20G', 4096 * MIB, 4096 * MIB],
  ['nothing where the user wants none', '0M', 8192 * MIB, undefined],
] as const) {
  test(`a try gets ${what}`, () => {
    assert.equal(memoryShare(setting, freeBytes), expected)
  })
}
