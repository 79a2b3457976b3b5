import assert from 'node:assert/strict'
import {test} from 'node:test'
import {prootWords} from '../../../../src/sandbox/engines/proot.js'

const TREE = {
  program: '/usr/bin/proot',
  root: '/store/root fs',
  binds: [{source: '/store/resolver', target: '/run/envs'}],
}

test('root is its own word, and binds follow those of the kernel', () => {
  assert.deepEqual(prootWords(TREE, '0:0'), [
    ...['/usr/bin/proot', '--verbose=-1', '--root-id', '--rootfs=/store/root fs'],
    ...['--bind=/dev', '--bind=/proc', '--bind=/sys', '--bind=/store/resolver:/run/envs', '--cwd=/'],
  ])
})

test('another user is given by its ids', () => {
  assert.ok(prootWords(TREE, '5:60').includes('--change-id=5:60'))
})
