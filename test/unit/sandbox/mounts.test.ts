import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  guestMounts,
  MOUNT_POINTS,
  PACKAGES_MOUNT_POINT,
  plainRoot,
  RESOLVER_MOUNT_POINT,
} from '../../../src/sandbox/mounts.js'

const folders = {
  root: plainRoot('/store/rootfs'),
  resolverFolder: '/store/resolver',
  packagesFolder: '/cache/packages',
}
const mounts = guestMounts({...folders, guestNamespace: 'second'})

test('of the host, the tree and the shared packages can be written, and the tree comes first', () => {
  assert.deepEqual(mounts[0], {kind: 'bind', from: '/store/rootfs', at: '/', access: 'rw'})
  const writable = mounts.filter((mount) => mount.kind === 'bind' && mount.access === 'rw')
  assert.deepEqual(
    writable.map(({at}) => at),
    ['/', PACKAGES_MOUNT_POINT],
  )
})

test('of the host only the tree, /sys, the resolver folder and the shared packages are bound', () => {
  const sources = mounts.flatMap((mount) => (mount.kind === 'bind' ? [mount.from] : []))
  assert.deepEqual(sources, ['/store/rootfs', '/sys', '/store/resolver', '/cache/packages'])
})

test('shared packages are mounted within the resolver folder, after it', () => {
  const places = mounts.map(({at}) => at)
  assert.equal(PACKAGES_MOUNT_POINT, '/run/envs/packages')
  assert.ok(places.indexOf(PACKAGES_MOUNT_POINT) > places.indexOf(RESOLVER_MOUNT_POINT))
})

test('an environment that does without shared packages has all the rest', () => {
  const without = guestMounts({...folders, packagesFolder: undefined, guestNamespace: 'second'})
  assert.deepEqual(
    without,
    mounts.filter(({at}) => at !== PACKAGES_MOUNT_POINT),
  )
})

test('what must be a folder in the tree is every place that is mounted on there', () => {
  const inTree = mounts
    .map(({at}) => at.slice(1))
    .filter((at) => at !== '' && !/^(?:dev|sys|run\/envs)\//.test(at))
  assert.deepEqual([...inTree].sort(), [...MOUNT_POINTS].sort())
  assert.equal(RESOLVER_MOUNT_POINT, '/run/envs')
})

test('what of /sys has the control groups and the firmware is covered, after it', () => {
  const places = mounts.flatMap(({kind, at}) => (kind === 'empty' ? [at] : []))
  assert.ok(places.includes('/sys/fs'))
  const sys = mounts.findIndex(({at}) => at === '/sys')
  assert.ok(places.every((place) => mounts.findIndex(({at}) => at === place) > sys))
})

test('for root with a say over mounts, what in /proc obeys uid 0 is read-only, and bound after /proc', () => {
  const forRoot = guestMounts({...folders, guestNamespace: 'of-root'})
  const proc = forRoot.findIndex(({at}) => at === '/proc')
  for (const path of ['/proc/sys', '/proc/sysrq-trigger']) {
    const mount = {kind: 'bind', from: path, at: path, access: 'ro', ifMissing: 'skip'}
    assert.ok(forRoot.findIndex(({at}) => at === path) > proc)
    assert.deepEqual(
      forRoot.find(({at}) => at === path),
      mount,
    )
  }
})
