import assert from 'node:assert/strict'
import {test} from 'node:test'
import {isAtLeast, parseUtilLinuxVersion} from '../../../src/host/machine/os-release.js'

for (const [text, version] of [
  ['unshare from util-linux 2.41.5\n', {major: 2, minor: 41}],
  ['unshare from util-linux 2.38\n', {major: 2, minor: 38}],
  ['unshare from util-linux 2.39-rc1\n', {major: 2, minor: 39}],
  ['BusyBox v1.37.0 (Debian 1:1.37.0-6) multi-call binary.\n', undefined],
  ['', undefined],
] as const) {
  test(`reads ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseUtilLinuxVersion(text), version)
  })
}

test('compares major before minor', () => {
  const wanted = {major: 2, minor: 38}
  const answers = [
    [2, 37],
    [2, 38],
    [2, 41],
    [1, 99],
    [3, 0],
  ].map(([major = 0, minor = 0]) => isAtLeast({major, minor}, wanted))
  assert.deepEqual(answers, [false, true, true, false, true])
})
