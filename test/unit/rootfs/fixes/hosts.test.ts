import assert from 'node:assert/strict'
import {test} from 'node:test'
import {mergeHosts} from '../../../../src/rootfs/fixes/identity.js'

const WANTED = '127.0.0.1 localhost\n127.0.1.1 new\n'

for (const [what, present, expected] of [
  ['nothing', '', WANTED],
  ['the same lines, spaced otherwise', '127.0.0.1\tlocalhost \n127.0.1.1   new\n', WANTED],
  ['a former name', '127.0.1.1 old\n', WANTED],
  ['a line of the user', '10.0.0.1 printer\n', `${WANTED}10.0.0.1 printer\n`],
  ['a last line without its end', '10.0.0.1 printer', `${WANTED}10.0.0.1 printer\n`],
  ['a comment and an empty line', '# mine\n\n10.0.0.1 printer\n', `${WANTED}# mine\n\n10.0.0.1 printer\n`],
] as const) {
  test(`hosts merged with ${what}`, () => {
    assert.equal(mergeHosts(WANTED, present), expected)
  })
}

test('hosts merged with a former result is that result', () => {
  const once = mergeHosts(WANTED, '# mine\n10.0.0.1 printer\n\n')
  assert.equal(mergeHosts(WANTED, once), once)
})
