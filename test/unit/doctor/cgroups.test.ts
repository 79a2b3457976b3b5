import assert from 'node:assert/strict'
import {test} from 'node:test'
import {judgeCgroups} from '../../../src/doctor/cgroups.js'

test('delegated control groups and those by FUSE pass, a host with neither is a warning with another init', () => {
  const statuses = [
    judgeCgroups({kind: 'real', mount: '/sys/fs/cgroup', parent: '/sys/fs/cgroup/user.slice'}),
    judgeCgroups({kind: 'make-believe', top: '/sys/fs/cgroup', name: 'user.slice'}),
    judgeCgroups(undefined),
  ].map(({status, remedy}) => ({status, remedy}))
  assert.deepEqual(statuses, [
    {status: 'pass', remedy: null},
    {status: 'pass', remedy: null},
    {status: 'warn', remedy: 'Use the supervisor of envs instead: envs set NAME init=services'},
  ])
})
