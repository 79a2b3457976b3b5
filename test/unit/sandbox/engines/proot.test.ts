import assert from 'node:assert/strict'
import {test} from 'node:test'
import {prootWords} from '../../../../src/sandbox/engines/proot.js'

const TREE = {
  program: '/usr/bin/proot',
  spec: {
    root: {kind: 'bind', from: '/store/root fs', at: '/', access: 'rw'},
    mounts: [
      {kind: 'dev', at: '/dev'},
      {kind: 'tmpfs', at: '/dev/shm'},
      {kind: 'proc', at: '/proc'},
      {kind: 'bind', from: '/sys', at: '/sys', access: 'ro'},
      {kind: 'empty', at: '/sys/fs'},
      {kind: 'bind', from: '/store/resolver', at: '/run/envs', access: 'ro'},
    ],
  },
  volumes: [{source: '/srv', target: '/mnt', access: 'rw'}],
} as const

test('root is its own word, and the binds keep their order, those of the kernel first', () => {
  assert.deepEqual(prootWords(TREE, '0:0'), [
    ...['/usr/bin/proot', '--verbose=-1', '--root-id', '--rootfs=/store/root fs'],
    ...['--bind=/dev', '--bind=/proc', '--bind=/sys', '--bind=/store/resolver:/run/envs'],
    ...['--bind=/srv:/mnt', '--cwd=/'],
  ])
})

test('another user is given by its ids', () => {
  assert.ok(prootWords(TREE, '5:60').includes('--change-id=5:60'))
})
