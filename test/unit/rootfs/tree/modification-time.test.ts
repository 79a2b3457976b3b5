import assert from 'node:assert/strict'
import {mkdtempSync, rmSync, statSync, utimesSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {test} from 'node:test'
import {modificationTime} from '../../../../src/rootfs/tree/metadata.js'

for (const [text, microseconds] of [
  ['0', 0n],
  ['1700000000', 1_700_000_000_000_000n],
  ['1700000000.000001', 1_700_000_000_000_001n],
  ['1700000000.123456789', 1_700_000_000_123_456n],
  ['1700000000.999999999', 1_700_000_000_999_999n],
  ['1600000003.1', 1_600_000_003_100_000n],
  ['4294967296.654321', 4_294_967_296_654_321n],
  ['-86400', -86_400_000_000n],
] as const) {
  test(`the time ${text} reaches the file system to the microsecond`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'envs-test-'))
    t.after(() => rmSync(folder, {recursive: true}))
    utimesSync(folder, modificationTime(text), modificationTime(text))
    assert.equal(statSync(folder, {bigint: true}).mtimeNs / 1000n, microseconds)
  })
}
