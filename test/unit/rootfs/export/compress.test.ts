import assert from 'node:assert/strict'
import {test} from 'node:test'
import {formatOfName} from '../../../../src/rootfs/export/compress.js'

for (const [name, format] of [
  ['play.tar', 'tar'],
  ['play.tar.gz', 'gz'],
  ['play.TGZ', 'gz'],
  ['play.tar.xz', 'xz'],
  ['play.txz', 'xz'],
  ['play.tar.zst', 'zst'],
  ['play.tzst', 'zst'],
  ['play', undefined],
  ['play.tar.bz2', undefined],
  ['tar', undefined],
  ['xz', undefined],
] as const) {
  test(`the name ${name} asks for ${format ?? 'no format'}`, () => {
    assert.equal(formatOfName(name), format)
  })
}
