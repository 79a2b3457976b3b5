import assert from 'node:assert/strict'
import {test} from 'node:test'
import {systemCalls} from '../../../src/host/machine/arch.js'
import {ABI, ARCHITECTURES} from '../../support/syscall-numbers.js'

// Written down for two programs, from the same tables of the kernel.
test('programs of the host and filters have the same numbers of system calls, on each processor', () => {
  for (const architecture of ARCHITECTURES) {
    const {prctl, fchownat, ...others} = systemCalls(architecture)
    const {prctl: filteredPrctl, fchownat: filteredFchownat} = ABI[architecture]
    assert.deepEqual([prctl, fchownat], [filteredPrctl, filteredFchownat], architecture)
    const numbers = [prctl, fchownat, ...Object.values(others)]
    assert.equal(new Set(numbers).size, numbers.length, architecture)
  }
})
