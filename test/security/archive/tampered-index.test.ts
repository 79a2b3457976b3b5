import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import type {Archive} from '../../support/archive.js'
import {givenVictim, SYSTEM} from '../../support/refused-archive.js'

const FOLDER = 'debian/dists/trixie/main/binary-amd64'

/** Puts other bytes in the place of the index, wherever it is asked for. */
function replaceIndex({files}: Archive, change: (index: Buffer) => Buffer): void {
  const index = files.get(`${FOLDER}/Packages.xz`) ?? Buffer.alloc(0)
  const digest = createHash('sha256').update(index).digest('hex')
  for (const path of [`${FOLDER}/Packages.xz`, `${FOLDER}/by-hash/SHA256/${digest}`]) {
    assert.ok(files.has(path))
    files.set(path, change(index))
  }
}

for (const [what, change] of [
  ['as long, and another', (index: Buffer) => Buffer.alloc(index.length, 'x')],
  ['longer', (index: Buffer) => Buffer.concat([index, Buffer.from('x')])],
  ['shorter', (index: Buffer) => index.subarray(0, -1)],
] as const) {
  test(`an index that is ${what} is refused before it is read`, async (t) => {
    const {archive, context, refuses} = await givenVictim(t)
    replaceIndex(archive, change)
    await refuses('ENVS_INDEX_MISMATCH', /^main\/binary-amd64\/Packages\.xz of trixie at .* is not the file/)
    const kept = join(context.paths.cache, 'archive/indices')
    const names = existsSync(kept) ? await readdir(kept) : []
    assert.deepEqual(
      names.filter((name) => name.includes('debian_trixie-') && !name.includes('updates')),
      [],
    )
  })
}

test('an index that the Release lists and the mirror does not have is told', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  for (const path of archive.files.keys()) if (path.startsWith(FOLDER)) archive.files.delete(path)
  await refuses('ENVS_INDEX_MISSING', /does not have main\/binary-amd64\/Packages\.xz of trixie\.$/)
})

test('a Release that lists no index of the architecture is told', async (t) => {
  const {archive, refuses} = await givenVictim(t)
  await archive.publish('release', {packages: SYSTEM, indices: []})
  archive.files.delete(`${FOLDER}/Packages.xz`)
  await refuses('ENVS_INDEX_MISSING', /Packages of trixie/)
})
