import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseDiversions} from '../../../../src/rootfs/diff/packages.js'

test('diversions are three lines each: the place, where its file is now, and who has the place', () => {
  assert.deepEqual(
    [...parseDiversions('/usr/bin/su\n/usr/bin/su.distrib\n:\n/bin/sh\n/bin/sh.distrib\ndash\n')],
    [
      ['/usr/bin/su', {to: '/usr/bin/su.distrib', by: ':'}],
      ['/bin/sh', {to: '/bin/sh.distrib', by: 'dash'}],
    ],
  )
})

for (const text of ['', 'x\ny\nz\n', '/a\n/b\n']) {
  test(`${JSON.stringify(text)} has none`, () => {
    assert.equal(parseDiversions(text).size, 0)
  })
}
