import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseProcessStatus} from '../../../src/host/machine/proc.js'

test('reads no_new_privs and a seccomp filter', () => {
  assert.deepEqual(parseProcessStatus('Name:\tsh\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n'), {
    noNewPrivileges: true,
    isFiltered: true,
  })
})

test('reads their absence', () => {
  assert.deepEqual(parseProcessStatus('Name:\tsh\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n'), {
    noNewPrivileges: false,
    isFiltered: false,
  })
})

test('a process of an old kernel, which lacks the fields, has neither', () => {
  assert.deepEqual(parseProcessStatus('Name:\tNoNewPrivs:\n'), {noNewPrivileges: false, isFiltered: false})
})
