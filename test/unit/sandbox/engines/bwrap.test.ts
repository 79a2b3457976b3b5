import assert from 'node:assert/strict'
import {test} from 'node:test'
import {bwrapEngine, bwrapOptions} from '../../../../src/sandbox/engines/bwrap.js'
import {GUEST_PATH} from '../../../../src/sandbox/guest-path.js'

const COMMON_START = ['--info-fd', '3', '--as-pid-1', '--seccomp', '8']
const NAMESPACES = ['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', 'play']
const COMMON_END = ['--chdir', '/', '--setenv', 'PATH', GUEST_PATH]
const WISH = {hostname: 'play', mounts: [], guestNamespace: 'only', namespacePrefix: []} as const

test('without a user namespace it makes one of one id, and keeps its capabilities', () => {
  assert.deepEqual(bwrapOptions(WISH), [
    ...COMMON_START,
    ...['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL'],
    ...NAMESPACES,
    ...COMMON_END,
  ])
})

test('one that is there already is taken', () => {
  const options = bwrapOptions({...WISH, namespacePrefix: ['unshare', '--map-auto', '--']})
  assert.deepEqual(options, [...COMMON_START, ...NAMESPACES, ...COMMON_END])
})

for (const guestNamespace of ['second', 'of-root'] as const) {
  test(`the guest is put into a second namespace (${guestNamespace})`, () => {
    const options = bwrapOptions({...WISH, guestNamespace, namespacePrefix: ['unshare', '--user', '--']})
    const second = ['--userns2', '9', '--cap-add', 'ALL']
    assert.deepEqual(options, [...COMMON_START, ...second, ...NAMESPACES, ...COMMON_END])
  })
}

test('mounts follow in the order they are given', () => {
  const options = bwrapOptions({
    ...WISH,
    namespacePrefix: ['unshare', '--'],
    mounts: [
      {kind: 'bind', from: '/store/root fs', at: '/', access: 'rw'},
      {kind: 'dev', at: '/dev'},
      {kind: 'tmpfs', at: '/dev/shm'},
      {kind: 'mqueue', at: '/dev/mqueue'},
      {kind: 'proc', at: '/proc'},
      {kind: 'bind', from: '/sys', at: '/sys', access: 'ro'},
      {kind: 'empty', at: '/sys/fs'},
      {kind: 'bind', from: '/proc/scsi', at: '/proc/scsi', access: 'ro', ifMissing: 'skip'},
    ],
  })
  const begin = COMMON_START.length + NAMESPACES.length
  assert.deepEqual(options.slice(begin, -COMMON_END.length), [
    ...['--bind', '/store/root fs', '/'],
    ...['--dev', '/dev', '--tmpfs', '/dev/shm', '--mqueue', '/dev/mqueue', '--proc', '/proc'],
    ...['--ro-bind', '/sys', '/sys', '--tmpfs', '/sys/fs', '--remount-ro', '/sys/fs'],
    ...['--ro-bind-try', '/proc/scsi', '/proc/scsi'],
  ])
})

test('no option is one that bubblewrap 0.4, of Ubuntu 20.04 and Debian 11, does not know', () => {
  const later = ['--clearenv', '--perms', '--size', '--chmod', '--disable-userns', '--overlay', '--argv0']
  assert.deepEqual(
    bwrapOptions(WISH).filter((option) => later.includes(option)),
    [],
  )
})

test('the command line holds the engine, the first process and the holder, and no option but where to read them', async () => {
  const [program, ...words] = await bwrapEngine('/usr/bin/bwrap').command('sleep 1')
  assert.deepEqual([program, ...words.slice(0, 5)], ['/usr/bin/bwrap', '--args', '7', '--', '/bin/sh', '-c'])
  assert.deepEqual(words.slice(-2), ['envs-init', 'sleep 1'])
})
