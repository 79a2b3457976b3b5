import assert from 'node:assert/strict'
import {test} from 'node:test'
import {guestMounts, MOUNT_POINTS, RESOLVER_MOUNT_POINT} from '../../../src/sandbox/mounts.js'

const mounts = guestMounts({root: '/store/rootfs', resolverFolder: '/store/resolver', isMountingRoot: false})

test('the tree comes first and is the only thing of the host that can be written', () => {
  assert.deepEqual(mounts[0], {kind: 'bind', from: '/store/rootfs', at: '/', access: 'rw'})
  const writable = mounts.filter((mount) => mount.kind === 'bind' && mount.access === 'rw')
  assert.equal(writable.length, 1)
})

test('of the host only the tree, /sys and the resolver folder are bound', () => {
  const sources = mounts.flatMap((mount) => (mount.kind === 'bind' ? [mount.from] : []))
  assert.deepEqual(sources, ['/store/rootfs', '/sys', '/store/resolver'])
})

test('what must be a folder in the tree is every place that is mounted on there', () => {
  const inTree = mounts.map(({at}) => at.slice(1)).filter((at) => at !== '' && !at.startsWith('dev/'))
  assert.deepEqual([...inTree].sort(), [...MOUNT_POINTS].sort())
  assert.equal(RESOLVER_MOUNT_POINT, '/run/envs')
})

test('for root with a say over mounts, what in /proc obeys uid 0 is read-only, and bound after /proc', () => {
  const forRoot = guestMounts({root: '/r', resolverFolder: '/n', isMountingRoot: true})
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
