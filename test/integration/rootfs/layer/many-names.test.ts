// Tier: e2e, because a file gets as many names as the file system allows.
import assert from 'node:assert/strict'
import {linkSync, lstatSync, mkdirSync, readFileSync, statSync} from 'node:fs'
import {mkdir, mkdtemp} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {test} from 'node:test'
import {isErrno} from '../../../../src/host/errno.js'
import {extractLayer, mergeLayers, removeTree} from '../../../../src/rootfs/worker/api.js'
import {layer, put} from '../../../support/image-layers.js'
import {BARE} from '../../../support/tree-process.js'

/** Of ext4, which has the most of the file systems with a limit of their own, and some. */
const MOST_NAMES = 66_000

/** Gives a file names until the file system refuses one more. @returns Whether it did. */
function fillNames(path: string, folder: string): boolean {
  mkdirSync(folder)
  try {
    for (let count = 0; count < MOST_NAMES; count++) linkSync(path, join(folder, String(count)))
    return false
  } catch (error) {
    if (isErrno(error, 'EMLINK')) return true
    throw error
  }
}

test('a file with as many names as the file system allows is copied', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'envs-test-'))
  t.after(() => removeTree(BARE, folder))
  const [own, root] = [join(folder, '0'), join(folder, 'root')]
  await mkdir(own)
  await mkdir(root)
  const stored = {tree: join(own, 'tree'), changes: join(own, 'changes.json'), ledger: join(own, 'ledger')}
  const bytes = layer(put('a', 'content', {mode: 0o4711}), put('b', 'other'))
  await extractLayer(BARE, Readable.from([bytes]), {...stored, owners: 'caller'})
  const original = join(stored.tree, 'a')
  if (!fillNames(original, join(folder, 'names'))) {
    t.skip('this file system has no limit for the names of a file')
    return
  }
  const before = lstatSync(original)

  await mergeLayers(BARE, {layers: [stored], root, ledger: join(folder, 'ledger'), owners: 'caller'})

  const copy = statSync(join(root, 'a'))
  assert.notEqual(copy.ino, before.ino)
  assert.equal(readFileSync(join(root, 'a'), 'latin1'), 'content')
  assert.deepEqual(
    [copy.mode, copy.uid, copy.gid, copy.mtimeMs, copy.nlink],
    [before.mode, before.uid, before.gid, before.mtimeMs, 1],
  )
  assert.equal(statSync(join(root, 'b')).ino, lstatSync(join(stored.tree, 'b')).ino)
})
