import assert from 'node:assert/strict'
import {test} from 'node:test'
import {compareVersions} from '../../../../src/apt/format/version.js'
import {capture} from '../../../../src/host/process.js'

const PAIRS = [
  ['1.0', '1.1'],
  ['1.9', '1.10'],
  ['1.0~rc1', '1.0'],
  ['1.0~~', '1.0~'],
  ['1.0', '1.0a'],
  ['1.0a', '1.0+'],
  ['1.0-1', '1.0-1+deb13u1'],
  ['1.0-1', '1.0-1.1'],
  ['9.9', '1:0.1'],
  ['1-2-3', '1-2-4'],
  ['1.2.3-1', '1.2.3-1ubuntu2~24.04.1'],
  ['99999999999999999998', '99999999999999999999'],
] as const

for (const [earlier, later] of PAIRS) {
  test(`${earlier} is earlier than ${later}, as dpkg has it`, async () => {
    const dpkg = await capture(['dpkg', '--compare-versions', earlier, 'lt', later])
    assert.equal(dpkg.status, 0, dpkg.stderr)
    assert.ok(compareVersions(earlier, later) < 0)
    assert.ok(compareVersions(later, earlier) > 0)
  })
}

for (const [a, b] of [
  ['1.0', '1.00'],
  ['0:1.0-1', '1.0-1'],
  ['1.0', '1.0-0'],
  ['', ''],
] as const) {
  test(`neither of ${JSON.stringify(a)} and ${JSON.stringify(b)} is the later one`, () => {
    assert.equal(compareVersions(a, b), 0)
  })
}
