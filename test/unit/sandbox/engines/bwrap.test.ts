import assert from 'node:assert/strict'
import {test} from 'node:test'
import {GUEST_PATH} from '../../../../src/sandbox/constants.js'
import {bwrapEngine, bwrapOptions} from '../../../../src/sandbox/engines/bwrap.js'
import {plainRoot} from '../../../../src/sandbox/mounts.js'
import type {GuestNamespace} from '../../../../src/sandbox/second-namespace.js'
import {baseSpec, type SandboxSpec} from '../../../../src/sandbox/spec.js'

const COMMON_START = ['--info-fd', '3', '--as-pid-1', '--seccomp', '8']
const NAMESPACES = ['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', 'play']
const COMMON_END = ['--chdir', '/', '--setenv', 'PATH', GUEST_PATH]
const SPEC: SandboxSpec = {
  ...baseSpec({
    root: plainRoot('/store/root fs'),
    hostname: 'play',
    filterSets: [],
    architecture: 'amd64',
    userNamespace: {guest: 'only', prefix: []},
  }),
  mounts: [],
}
const ROOT = ['--bind', '/store/root fs', '/']

/** The same in a user namespace that is there already. */
function inside(guest: GuestNamespace): SandboxSpec {
  return {...SPEC, userNamespace: {guest, prefix: ['unshare', '--user', '--']}}
}

test('without a user namespace it makes one of one id, and keeps its capabilities', () => {
  assert.deepEqual(bwrapOptions(SPEC), [
    ...COMMON_START,
    ...['--unshare-user', '--uid', '0', '--gid', '0', '--cap-add', 'ALL'],
    ...NAMESPACES,
    ...ROOT,
    ...COMMON_END,
  ])
})

test('one that is there already is taken', () => {
  const options = bwrapOptions(inside('only'))
  assert.deepEqual(options, [...COMMON_START, ...NAMESPACES, ...ROOT, ...COMMON_END])
})

for (const guestNamespace of ['second', 'of-root'] as const) {
  test(`the guest is put into a second namespace (${guestNamespace})`, () => {
    const options = bwrapOptions(inside(guestNamespace))
    const second = ['--userns2', '9', '--cap-add', 'ALL']
    assert.deepEqual(options, [...COMMON_START, ...second, ...NAMESPACES, ...ROOT, ...COMMON_END])
  })
}

test('mounts follow the root in the order they are given', () => {
  const options = bwrapOptions({
    ...inside('only'),
    mounts: [
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
    ...ROOT,
    ...['--dev', '/dev', '--tmpfs', '/dev/shm', '--mqueue', '/dev/mqueue', '--proc', '/proc'],
    ...['--ro-bind', '/sys', '/sys', '--tmpfs', '/sys/fs', '--remount-ro', '/sys/fs'],
    ...['--ro-bind-try', '/proc/scsi', '/proc/scsi'],
  ])
})

test('no option is one that bubblewrap 0.4, of Ubuntu 20.04 and Debian 11, does not know', () => {
  const later = ['--clearenv', '--perms', '--size', '--chmod', '--disable-userns', '--overlay', '--argv0']
  assert.deepEqual(
    bwrapOptions(SPEC).filter((option) => later.includes(option)),
    [],
  )
})

test('the command line holds the engine, the first process and the holder, and no option but where to read them', async () => {
  const [program, ...words] = await bwrapEngine('/usr/bin/bwrap', () => []).command(SPEC, 'sleep 1')
  assert.deepEqual([program, ...words.slice(0, 5)], ['/usr/bin/bwrap', '--args', '7', '--', '/bin/sh', '-c'])
  assert.deepEqual(words.slice(-2), ['envs-init', 'sleep 1'])
})

test('what prepares the namespaces comes before the engine, and the limit of processes with the second namespace', async () => {
  const engine = bwrapEngine('/usr/bin/bwrap', () => ['perl', 'second-namespace.pl'])
  const setup = [['first', '--'], ['then']]
  const argv = await engine.command(
    {...inside('second'), setup, limits: {processes: 60, userNamespaces: 9}},
    '',
  )
  assert.deepEqual(argv.slice(0, 8), [
    'unshare',
    '--user',
    '--',
    'first',
    '--',
    'then',
    'perl',
    'second-namespace.pl',
  ])
  assert.deepEqual(argv.slice(9, 12), ['60', '9', '/usr/bin/bwrap'])
})

test("for the host's root the engine is outside of the guest's user namespace", async () => {
  const [first] = await bwrapEngine('/usr/bin/bwrap', () => []).command(inside('of-root'), '')
  assert.equal(first, '/usr/bin/bwrap')
})

test('a network of its own is one more namespace', () => {
  const options = bwrapOptions({...inside('only'), network: 'own'})
  assert.deepEqual(options, [...COMMON_START, ...NAMESPACES, '--unshare-net', ...ROOT, ...COMMON_END])
})
