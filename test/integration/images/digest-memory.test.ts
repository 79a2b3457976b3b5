import assert from 'node:assert/strict'
import {appendFileSync, type BigIntStats, statSync} from 'node:fs'
import {chmod, readFile, rename, stat, symlink, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import type {Sha256} from '../../../src/host/digest.js'
import {openDigestMemory, openFileImage} from '../../../src/images/local.js'
import {temporaryFolder} from '../../support/temporary-folder.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

/** Of no file of these tests: where it comes up, the file was not read. */
const REMEMBERED = '5'.repeat(64) as Sha256

function factsOf(path: string): BigIntStats {
  return statSync(path, {bigint: true})
}

/** Long after a file was last written to. */
function later(path: string): Date {
  return new Date(statSync(path).ctimeMs + 60_000)
}

async function setUp(t: TestContext) {
  const folder = await temporaryFolder(t)
  const {path, sha256} = await tinyRootfs(t)
  const digests = openDigestMemory(folder)
  const digest = async () => {
    const image = openFileImage(path, {source: path, sha256: undefined, digests})
    const {sha256: found} = await image.verify()
    await image.close()
    return found
  }
  return {digest, digests, kept: join(folder, 'digests.json'), path, sha256}
}

test('a file that was read is not read again', async (t) => {
  const {digest, digests, path} = await setUp(t)
  await digests.remember(factsOf(path), REMEMBERED, later(path))
  assert.equal(await digest(), REMEMBERED)
})

for (const [what, change] of [
  ['was written to', (path) => appendFileSync(path, 'x')],
  [
    'was written to, with its old times and as long as before',
    async (path) => {
      const {atime, mtime} = await stat(path)
      const bytes = await readFile(path)
      await writeFile(path, bytes.fill(0, 20, 21))
      await utimes(path, atime, mtime)
    },
  ],
  [
    'is another one of that name',
    async (path) => {
      await writeFile(`${path}.new`, await readFile(path))
      await rename(`${path}.new`, path)
    },
  ],
] satisfies [string, (path: string) => Promise<void> | void][]) {
  test(`a file that ${what} is read again`, async (t) => {
    const {digest, digests, path} = await setUp(t)
    await digests.remember(factsOf(path), REMEMBERED, later(path))
    await change(path)
    assert.notEqual(await digest(), REMEMBERED)
  })
}

test('a file that was just written to is not remembered: it may be again within one tick of the clock', async (t) => {
  const {digest, digests, path, sha256} = await setUp(t)
  assert.equal(await digest(), sha256)
  assert.equal(digests.recall(factsOf(path)), undefined)
})

test('what is remembered still has to be what was asked for', async (t) => {
  const {digests, path, sha256} = await setUp(t)
  await digests.remember(factsOf(path), REMEMBERED, later(path))
  const image = openFileImage(path, {source: path, sha256: sha256 as Sha256, digests})
  await assert.rejects(image.verify(), {name: 'DigestMismatchError'})
  await image.close()
})

for (const [what, spoil] of [
  ['that others could have written', (kept) => chmod(kept, 0o666)],
  ['that is no JSON', (kept) => writeFile(kept, '[{')],
  [
    'that says something else',
    (kept) => writeFile(kept, '{"version": 1, "entries": [{"key": 1, "value": "x"}, null]}'),
  ],
  [
    'behind a link',
    async (kept) => {
      await rename(kept, `${kept}.elsewhere`)
      await symlink(`${kept}.elsewhere`, kept)
    },
  ],
] satisfies [string, (kept: string) => Promise<void>][]) {
  test(`a memory ${what} is none, and is made anew`, async (t) => {
    const {digest, digests, kept, path, sha256} = await setUp(t)
    await digests.remember(factsOf(path), REMEMBERED, later(path))
    await spoil(kept)
    assert.equal(await digest(), sha256)
    await digests.remember(factsOf(path), REMEMBERED, later(path))
    assert.equal(await digest(), REMEMBERED)
  })
}

test('only the last fifty files are remembered', async (t) => {
  const {digests, kept, path} = await setUp(t)
  const facts = factsOf(path)
  for (let ino = 1n; ino <= 60n; ino++) await digests.remember({...facts, ino}, REMEMBERED, later(path))
  assert.equal(JSON.parse(await readFile(kept, 'utf8')).entries.length, 50)
  assert.equal(digests.recall({...facts, ino: 60n}), REMEMBERED)
  assert.equal(digests.recall({...facts, ino: 1n}), undefined)
})
