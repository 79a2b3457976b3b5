import assert from 'node:assert/strict'
import {test} from 'node:test'
import {diversionsWithoutShims, namesWithoutShims} from '../../../../src/rootfs/layer/shims.js'

const BECOME = '/usr/lib/envs/become'

for (const [what, folder, names, links, expected] of [
  ['the original takes its place', 'usr/bin', ['su', 'su.distrib', 'ls'], ['su'], ['ls', 'su<su.distrib']],
  ['a link whose original is in a layer below is left out', 'usr/bin', ['su', 'ls'], ['su'], ['ls']],
  ['an upgraded original takes its place', 'usr/sbin', ['runuser.distrib'], [], ['runuser<runuser.distrib']],
  ['two programs of a user stay', 'usr/bin', ['su', 'su.distrib'], [], ['su', 'su.distrib']],
  ['programs that envs does not replace stay', 'usr/bin', ['vi', 'vi.distrib'], ['vi'], ['vi', 'vi.distrib']],
  ['other folders stay', 'opt/bin', ['su', 'su.distrib'], ['su'], ['su', 'su.distrib']],
  ['names are in the order of their bytes', 'srv', ['b', 'B', 'ÿ', 'a'], [], ['B', 'a', 'b', 'ÿ']],
] as const) {
  test(what, () => {
    const linked: readonly string[] = links
    const found = namesWithoutShims(folder, names, (name) => (linked.includes(name) ? BECOME : undefined))
    assert.deepEqual(
      found.map(({name, onDisk}) => (name === onDisk ? name : `${name}<${onDisk}`)),
      expected,
    )
  })
}

test('the diversions of lay-shims go, and others stay', () => {
  const own = '/usr/bin/su\n/usr/bin/su.distrib\n:\n/bin/su\n/bin/su.distrib\n:\n'
  const others =
    '/usr/bin/su\n/usr/bin/su.mine\n:\n/usr/bin/vi\n/usr/bin/vi.distrib\n:\n/usr/bin/su\n/usr/bin/su.distrib\nsudo\n'
  assert.equal(diversionsWithoutShims(own), '')
  assert.equal(diversionsWithoutShims(own + others), others)
  assert.equal(diversionsWithoutShims(others + own), others)
  assert.equal(diversionsWithoutShims(''), '')
})
