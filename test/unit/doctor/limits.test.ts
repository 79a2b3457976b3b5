import assert from 'node:assert/strict'
import {test} from 'node:test'
import {judgeLimits} from '../../../src/doctor/limits.js'
import type {LimitGroups} from '../../../src/sandbox/limits/groups.js'

const groups = (kind: LimitGroups['kind'], ...limits: LimitGroups['limits']): LimitGroups => ({
  ...{kind, mount: '/sys/fs/cgroup', limits},
})

for (const [what, found, isLingering, status, evidence] of [
  [
    'a user manager that may limit all',
    groups('manager', 'memoryBytes', 'cpus', 'processes', 'ioWeight'),
    true,
    'pass',
    'A scope of the user manager enforces memory, cpus, processes, io-weight.',
  ],
  [
    'one without io, as most hosts have it',
    groups('manager', 'memoryBytes', 'cpus', 'processes'),
    true,
    'pass',
    'A scope of the user manager enforces memory, cpus, processes.',
  ],
  [
    'one that ends with the last login',
    groups('manager', 'memoryBytes', 'cpus', 'processes'),
    false,
    'warn',
    'A scope of the user manager enforces memory, cpus, processes.',
  ],
  [
    'one without a controller for cpus',
    groups('manager', 'memoryBytes', 'processes'),
    true,
    'warn',
    'A scope of the user manager enforces memory, processes.',
  ],
  [
    'a delegated group',
    groups('own', 'memoryBytes', 'cpus', 'processes'),
    null,
    'pass',
    'The group of this process enforces memory, cpus, processes.',
  ],
  [
    'none of these',
    undefined,
    null,
    'warn',
    'No control group with memory, cpu or io is delegated to this user.',
  ],
] as const)
  test(`limits: ${what}: ${status}`, () => {
    const check = judgeLimits(found, isLingering)
    assert.deepEqual([check.status, check.evidence], [status, evidence])
  })
