import assert from 'node:assert/strict'
import {test} from 'node:test'
import {isAsWritten, replacedPrograms} from '../../../../src/rootfs/diff/packages.js'

const HOSTS = {path: 'etc/hosts', parts: ['127.0.1.1 ', '\n::1 localhost\n']}

for (const [content, expected] of [
  ['127.0.1.1 play\n::1 localhost\n', true],
  ['127.0.1.1 a.b-c_9\n::1 localhost\n', true],
  ['127.0.1.1 play\n::1 localhost\n10.0.0.1 db\n', false],
  ['127.0.1.1 play db\n::1 localhost\n', false],
  ['127.0.1.1 \n::1 localhost\n', false],
  ['127x0y1z1 play\n::1 localhost\n', false],
] as const) {
  test(`${JSON.stringify(content)} is ${expected ? '' : 'not '}as envs writes it`, () => {
    assert.equal(isAsWritten(Buffer.from(content), HOSTS), expected)
  })
}

test('a program that envs has put its own in place of is known with its other name', () => {
  const link = {kind: 'symlink', mode: 0o777, uid: 0, gid: 0, sizeBytes: 0} as const
  const changes = [
    {path: 'usr/bin/su', before: undefined, after: {...link, target: '/usr/lib/envs/become'}},
    {path: 'usr/bin/vi', before: undefined, after: {...link, target: '/etc/alternatives/vi'}},
  ]
  assert.deepEqual([...replacedPrograms(changes)], ['usr/bin/su', 'usr/bin/su.distrib'])
})
