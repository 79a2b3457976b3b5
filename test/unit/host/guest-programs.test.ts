import assert from 'node:assert/strict'
import {test} from 'node:test'
import {templatePath} from '../../../src/host/paths.js'
import {capture} from '../../../src/host/process.js'

for (const [program, check] of [
  ['become', ['sh', '-n']],
  ['become.d/main.pl', ['perl', '-c']],
  ['become.d/su.pl', ['perl', '-c']],
  ['become.d/sudo.pl', ['perl', '-c']],
  ['become.d/postgresql.pl', ['perl', '-c']],
  ['lay-shims', ['sh', '-n']],
  ['renew-keys', ['sh', '-n']],
] as const) {
  test(`${program} compiles without a warning`, async () => {
    const path = templatePath(`rootfs/${program}`)
    const {status, stderr} = await capture([...check, path])
    assert.equal(status, 0, stderr)
    assert.equal(stderr, check[0] === 'perl' ? `${path} syntax OK\n` : '')
  })
}
