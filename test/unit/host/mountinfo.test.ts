import assert from 'node:assert/strict'
import {test} from 'node:test'
import {mountOf, parseMountinfo} from '../../../src/host/machine/proc.js'

const TEXT = [
  '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
  '23 22 0:20 / /home rw,nosuid - ext4 /dev/sda2 rw',
  '24 22 0:21 /x /home/ada\\040l rw,noexec shared:2 master:3 - tmpfs tmpfs rw,size=1024k',
  '25 23 0:22 / /home rw,nodev - xfs /dev/sda3 rw',
].join('\n')

test('reads mount point, options and type, with any number of optional fields', () => {
  assert.deepEqual(parseMountinfo(TEXT)[2], {
    mountPoint: '/home/ada l',
    options: ['rw', 'noexec'],
    fileSystem: 'tmpfs',
  })
})

test('leaves out a line of another shape', () => {
  assert.deepEqual(parseMountinfo('\n22 1 8:1\n22 1 8:1 / / rw\n'), [])
})

for (const [path, fileSystem] of [
  ['/etc', 'ext4'],
  ['/home/ada l/data', 'tmpfs'],
  ['/home/ada l', 'tmpfs'],
  ['/home/ada', 'xfs'],
  ['/homework', 'ext4'],
] as const) {
  test(`${path} lies on the ${fileSystem} mount`, () => {
    assert.equal(mountOf(path, parseMountinfo(TEXT))?.fileSystem, fileSystem)
  })
}
