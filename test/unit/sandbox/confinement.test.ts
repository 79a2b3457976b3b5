import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {
  CAPABILITIES,
  capabilitiesOfMask,
  capabilityNumbers,
  parseCapability,
} from '../../../src/sandbox/confinement/capabilities.js'
import {
  isolatedMounts,
  keptCapabilities,
  PROFILES,
  setsOfProfile,
  userNamespacesOf,
} from '../../../src/sandbox/confinement/confinement.js'
import {kernelMounts} from '../../../src/sandbox/mounts.js'

test('the capabilities have the numbers of the kernel', () => {
  // Of linux/capability.h.
  for (const [name, number] of [
    ['chown', 0],
    ['net_bind_service', 10],
    ['net_raw', 13],
    ['sys_chroot', 18],
    ['sys_admin', 21],
    ['mknod', 27],
    ['setfcap', 31],
    ['checkpoint_restore', 40],
  ] as const)
    assert.deepEqual(capabilityNumbers([name]), [number])
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
  assert.ok(last <= CAPABILITIES.length - 1, `the kernel knows ${last}`)
})

test('a capability is known by its name in any case, with CAP_ or without', () => {
  assert.equal(parseCapability('CAP_NET_RAW'), 'net_raw')
  assert.equal(parseCapability('Net_Raw'), 'net_raw')
  assert.equal(parseCapability('cap_cap_net_raw'), undefined)
  assert.deepEqual(capabilitiesOfMask('0000000000200001'), ['chown', 'sys_admin'])
})

test('a profile without a dropped capability limits none, but for isolated', () => {
  for (const profile of ['trusted', 'default'] as const)
    assert.equal(keptCapabilities({profile, droppedCapabilities: []}), undefined)
  assert.deepEqual(keptCapabilities({profile: 'default', droppedCapabilities: ['mknod']}, ['net_raw']), [
    ...CAPABILITIES.filter((each) => each !== 'mknod' && each !== 'net_raw'),
  ])
  const isolated = keptCapabilities({profile: 'isolated', droppedCapabilities: ['chown']}) ?? []
  assert.equal(isolated.length, 11)
  assert.deepEqual(
    isolated.filter((each) => ['chown', 'sys_admin', 'sys_ptrace', 'net_raw', 'net_admin'].includes(each)),
    [],
  )
})

test('each profile has the filter of the one before, and more', () => {
  const [trusted = [], usual = [], isolated = []] = PROFILES.map((each) => setsOfProfile(each, 'amd64'))
  assert.deepEqual(trusted, [])
  assert.deepEqual(usual, ['no-io-uring', 'few-families'])
  assert.deepEqual(isolated, [...usual, 'no-socketcall', 'closed'])
  // All sockets of its programs are made by that call.
  assert.equal(setsOfProfile('isolated', 'i386').includes('no-socketcall'), false)
})

test('nested user namespaces are excluded only where su does not need them', () => {
  assert.equal(userNamespacesOf('isolated', 'mapped'), 1)
  assert.equal(userNamespacesOf('isolated', 'emulated'), 4096)
  assert.equal(userNamespacesOf('default', 'mapped'), 4096)
})

test('an isolated environment has nothing of /sys, and covers over parts of /proc', () => {
  for (const namespace of ['second', 'of-root'] as const) {
    const mounts = isolatedMounts(kernelMounts(namespace))
    assert.equal(
      mounts.some(({at}) => at.startsWith('/sys')),
      false,
    )
    const below = mounts.filter(({at}) => at.startsWith('/proc/'))
    assert.equal(new Set(below.map(({at}) => at)).size, below.length)
    assert.ok(
      mounts.findIndex(({at}) => at === '/proc') < mounts.findIndex(({at}) => at.startsWith('/proc/')),
      'covered after it is there',
    )
    for (const mount of below)
      assert.ok(mount.kind === 'empty' || (mount.kind === 'bind' && mount.access === 'ro'), mount.at)
  }
})
