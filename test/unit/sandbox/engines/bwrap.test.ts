import assert from 'node:assert/strict'
import {test} from 'node:test'
import {anchorCommand, anchorOptions, GUEST_PATH} from '../../../../src/sandbox/engines/bwrap.js'

const COMMON_START = ['--info-fd', '3', '--sync-fd', '6', '--seccomp', '8']
const NAMESPACES = ['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', 'play']
const COMMON_END = ['--chdir', '/', '--clearenv', '--setenv', 'PATH', GUEST_PATH]

test('emulated makes a user namespace of one id, and keeps its capabilities', () => {
  assert.deepEqual(
    anchorOptions({hostname: 'play', identity: 'emulated', mounts: [], isMountingRoot: false}),
    [
      ...COMMON_START,
      ...['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL'],
      ...NAMESPACES,
      ...COMMON_END,
    ],
  )
})

test('mapped has its user namespace already', () => {
  const options = anchorOptions({hostname: 'play', identity: 'mapped', mounts: [], isMountingRoot: false})
  assert.deepEqual(options, [...COMMON_START, ...NAMESPACES, ...COMMON_END])
})

for (const identity of ['emulated', 'mapped'] as const) {
  test(`${identity}: for root with a say over mounts the guest is put into a second namespace`, () => {
    const options = anchorOptions({hostname: 'play', identity, mounts: [], isMountingRoot: true})
    const second = ['--userns2', '9', '--cap-add', 'ALL']
    assert.deepEqual(options, [...COMMON_START, ...second, ...NAMESPACES, ...COMMON_END])
  })
}

test('mounts follow in the order they are given', () => {
  const options = anchorOptions({
    hostname: 'play',
    identity: 'mapped',
    mounts: [
      {kind: 'bind', from: '/store/root fs', at: '/', access: 'rw'},
      {kind: 'dev', at: '/dev'},
      {kind: 'tmpfs', at: '/dev/shm'},
      {kind: 'mqueue', at: '/dev/mqueue'},
      {kind: 'proc', at: '/proc'},
      {kind: 'bind', from: '/sys', at: '/sys', access: 'ro'},
      {kind: 'bind', from: '/proc/scsi', at: '/proc/scsi', access: 'ro', ifMissing: 'skip'},
    ],
    isMountingRoot: false,
  })
  const begin = COMMON_START.length + NAMESPACES.length
  assert.deepEqual(options.slice(begin, -COMMON_END.length), [
    ...['--bind', '/store/root fs', '/'],
    ...['--dev', '/dev', '--tmpfs', '/dev/shm', '--mqueue', '/dev/mqueue', '--proc', '/proc'],
    ...['--ro-bind', '/sys', '/sys', '--ro-bind-try', '/proc/scsi', '/proc/scsi'],
  ])
})

test('the command line holds the prefix, the engine and the holder, and no option but where to read them', () => {
  assert.deepEqual(anchorCommand({bwrap: '/usr/bin/bwrap', prefix: ['unshare', '--'], holder: 'sleep 1'}), [
    ...['unshare', '--', '/usr/bin/bwrap', '--args', '7', '--'],
    ...['/bin/sh', '-c', 'sleep 1', 'envs-holder'],
  ])
})
