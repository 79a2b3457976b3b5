import assert from 'node:assert/strict'
import {test} from 'node:test'
import {judgeCgroups} from '../../../src/doctor/cgroups.js'

const SERVICES = 'Use the supervisor of envs instead: envs set NAME init=services'
const MOUNT = '/sys/fs/cgroup'

for (const [what, cgroups, isLingering, status, remedy] of [
  ['a delegated group', {kind: 'real', mount: MOUNT, scope: []}, null, 'pass', null],
  ['a user manager that lingers', {kind: 'real', mount: MOUNT, scope: ['systemd-run']}, true, 'pass', null],
  ['a user manager, and no logind', {kind: 'real', mount: MOUNT, scope: ['systemd-run']}, null, 'pass', null],
  [
    'a user manager that ends with the last login',
    {kind: 'real', mount: MOUNT, scope: ['systemd-run']},
    false,
    'warn',
    'loginctl enable-linger',
  ],
  ['groups by FUSE', {kind: 'make-believe', top: MOUNT, name: 'user.slice'}, null, 'pass', null],
  ['none of these', undefined, null, 'warn', SERVICES],
] as const)
  test(`control groups: ${what}: ${status}`, () => {
    const check = judgeCgroups(cgroups, isLingering)
    assert.deepEqual([check.status, check.remedy], [status, remedy])
  })
