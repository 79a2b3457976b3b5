import assert from 'node:assert/strict'
import {test} from 'node:test'
import {groupProperties, groupValues} from '../../../../src/sandbox/limits/groups.js'
import type {Limits} from '../../../../src/sandbox/limits/schema.js'
import {limitOptions} from '../../../../src/sandbox/limits/session-words.js'
import {limitsPrefix} from '../../../../src/sandbox/limits/words.js'

const VALUES: Limits = {memoryBytes: 500_000_000, cpus: 1.5, processes: 100, ioWeight: 50}
const LAUNCHER = ['perl', 'limits.pl']
const GROUP = '/sys/fs/cgroup/user.slice/run-1.scope'

test('limits are properties of a unit of systemd, and lines of a group, which has no swap', () => {
  assert.deepEqual(groupProperties(VALUES), [
    ...['MemoryMax=500000000', 'MemorySwapMax=0', 'CPUQuota=150%', 'TasksMax=100', 'IOWeight=50'],
  ])
  assert.deepEqual(groupValues(VALUES), [
    ...['memory.max=500000000', 'memory.swap.max=0', 'cpu.max=150000 100000', 'pids.max=100', 'io.weight=50'],
  ])
  assert.deepEqual([groupProperties({}), groupValues({})], [[], []])
})

test('a session enters the group with the limits, and looks for processes that lacked memory', () => {
  const limits = {
    values: VALUES,
    enforced: {memoryBytes: 'environment', cpus: 'environment'},
    group: GROUP,
  } as const
  assert.deepEqual(limitOptions({limits}, {architecture: 'amd64', timeoutSeconds: 30}), [
    ...['-l', 'group', GROUP, '-l', 'events', GROUP, '-l', 'time', '30'],
  ])
})

test('a session of a guest with an own init enters none of these: its groups are below', () => {
  const limits = {values: VALUES, enforced: {memoryBytes: 'environment'}} as const
  const words = limitOptions(
    {limits, group: `${GROUP}/envs-play-1`},
    {architecture: 'amd64', timeoutSeconds: undefined},
  )
  assert.deepEqual(words, ['-l', 'events', GROUP])
})

test('without groups each process of a session is limited; a session may have less time, and not more', () => {
  const values = {memoryBytes: 500_000_000, cpus: 1.5, diskBytes: 1_000_000, timeoutSeconds: 60} as const
  const limits = {values, enforced: {memoryBytes: 'process', cpus: 'process', diskBytes: 'start'}} as const
  const words = (timeoutSeconds: number | undefined) =>
    limitOptions({limits}, {architecture: 'amd64', timeoutSeconds})
  const each = ['-l', 'rlimits', '302 2=500000000 1=1000000', '-l', 'nice', '10', '-l', 'time']
  assert.deepEqual(words(undefined), [...each, '60'])
  assert.deepEqual(words(5), [...each, '5'])
  assert.deepEqual(words(90), [...each, '60'])
})

test('a session without limits has no words for them', () => {
  assert.deepEqual(limitOptions({}, {architecture: 'amd64', timeoutSeconds: undefined}), [])
})

test('an environment begins behind a prefix only if there is something to limit', () => {
  const enforced = {memoryBytes: 'environment', processes: 'environment'} as const
  const prefix = {launcher: LAUNCHER, architecture: 'amd64', limits: {values: VALUES, enforced}} as const
  assert.deepEqual(limitsPrefix(prefix), [])
  assert.deepEqual(
    limitsPrefix({...prefix, group: {mount: '/cgroup', name: 'envs-play', limits: {cpus: 2}}}),
    [...LAUNCHER, ...['302', 'group', '/cgroup', 'envs-play', 'cpu.max=200000 100000', '--']],
  )
})
