import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {placeOf} from '../../../src/apt/context.js'
import {fetchIndex} from '../../../src/apt/index-file.js'
import {compressed} from '../../support/compressed.js'
import {digestOf} from '../../support/download.js'
import {givenVictim} from '../../support/refused-archive.js'

for (const [what, text, decodedBytes] of [
  ['more than its Release says', Buffer.alloc(2000, 'Package: x\n\n'), 1999],
  ['a line without an end', Buffer.alloc(8 * 2 ** 20, 'x'), undefined],
] as const) {
  test(`an index that decompresses to ${what} is refused, whatever its digest`, async (t) => {
    const {archive, context} = await givenVictim(t)
    const body = compressed('xz', text)
    archive.files.set('debian/dists/trixie/main/binary-amd64/Packages.xz', body)
    const listed = {
      path: 'main/binary-amd64/Packages.xz',
      byHashPath: undefined,
      sha256: digestOf(body),
      sizeBytes: body.length,
      decodedBytes,
    }
    const place = placeOf(archive.mirrors.debian ?? '', 'trixie')
    await assert.rejects(fetchIndex(place, listed, {context, onBytes: () => {}}), {
      code: 'ENVS_INDEX_MALFORMED',
      exitCode: 6,
    })
    assert.deepEqual(await readdir(join(context.paths.cache, 'archive/downloads')), [])
  })
}
