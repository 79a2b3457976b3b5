import assert from 'node:assert/strict'
import {existsSync, lstatSync} from 'node:fs'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../../src/host/process.js'
import {applyFixes, extractRootfs, measureTrees, removeTree} from '../../../../src/rootfs/worker/api.js'
import {type Arena, extractionArena} from '../../../support/extraction.js'
import {file, tarArchive, tarMember} from '../../../support/tar-archive.js'
import {TREE_FACTS} from '../../../support/tree-facts.js'
import {BARE, MAPPED, missingMapping} from '../../../support/tree-process.js'

const skip = await missingMapping()

/** An arena whose root may hold files of other users, taken away as root of the namespace. */
async function mappedArena(t: TestContext): Promise<Arena> {
  const arena = await extractionArena(t)
  t.after(() => removeTree(MAPPED, arena.root))
  return arena
}

/** Owner, group and mode as root of the namespace sees them. */
async function inside(path: string): Promise<string> {
  const {stdout} = await capture([...MAPPED.prefix, 'stat', '-c', '%u:%g %a', path])
  return stdout.trim()
}

const ARCHIVE = tarArchive(
  tarMember({gid: 42, mode: 0o750, name: 'shadow', type: '5', uid: 7}),
  tarMember({gid: 42, mode: 0o2755, name: 'shadow/setgid', uid: 0}),
  tarMember({gid: 0, mode: 0o4755, name: 'setuid', uid: 33}),
  tarMember({gid: 9, name: 'link', target: 'nowhere', type: '2', uid: 8}),
  tarMember({gid: 4, mode: 0o640, name: 'pipe', type: '6', uid: 3}),
)

for (const [path, expected] of [
  ['shadow', '7:42 750'],
  ['shadow/setgid', '0:42 2755'],
  ['setuid', '33:0 4755'],
  ['link', '8:9 777'],
  ['pipe', '3:4 640'],
] as const) {
  test(`in a user namespace ${path} keeps its owners and mode`, {skip}, async (t) => {
    const {root} = await mappedArena(t)
    await extractRootfs(MAPPED, Readable.from([ARCHIVE]), {owners: 'keep', root})
    assert.equal(await inside(join(root, path)), expected)
  })
}

test('a folder that hands on its group does not give it to what is unpacked there', {skip}, async (t) => {
  const {root} = await mappedArena(t)
  await capture([...MAPPED.prefix, 'sh', '-c', 'chgrp 42 "$1" && chmod g+s "$1"', 'sh', root])
  assert.equal(await inside(root), '0:42 2755')
  const archive = tarArchive(
    tarMember({name: 'folder', type: '5', mode: 0o755, uid: 0, gid: 0}),
    tarMember({name: 'folder/file', data: 'x', uid: 0, gid: 0}),
    tarMember({name: 'link', target: 'nowhere', type: '2', uid: 0, gid: 0}),
  )
  await extractRootfs(MAPPED, Readable.from([archive]), {owners: 'keep', root})
  const found = await Promise.all(['folder', 'folder/file', 'link'].map((path) => inside(join(root, path))))
  assert.deepEqual(found, ['0:0 755', '0:0 644', '0:0 777'])
})

test('ids the namespace does not map become nobody, and are counted and named', {skip}, async (t) => {
  const {root} = await mappedArena(t)
  const archive = tarArchive(
    tarMember({gid: 0, mode: 0o4755, name: 'both', uid: 2_000_000}),
    tarMember({gid: 3_000_000, name: 'group', uid: 0}),
    tarMember({gid: 0, name: 'none', uid: 0}),
  )
  const {squashedOwners} = await extractRootfs(MAPPED, Readable.from([archive]), {owners: 'keep', root})
  assert.deepEqual(squashedOwners, {count: 2, ids: [2_000_000, 3_000_000]})
  assert.equal(await inside(join(root, 'both')), '65534:0 4755')
  assert.equal(await inside(join(root, 'group')), '0:65534 644')
})

test('a tree of foreign owners is measured, fixed and removed in the namespace', {skip}, async (t) => {
  const {root} = await mappedArena(t)
  await extractRootfs(MAPPED, Readable.from([ARCHIVE]), {owners: 'keep', root})
  const {stdout} = await capture([...MAPPED.prefix, 'find', root, '-printf', '%b\\n'])
  const allocated = stdout
    .trim()
    .split('\n')
    .reduce((sum, blocks) => sum + Number(blocks) * 512, 0)
  assert.deepEqual(await measureTrees(MAPPED, [root]), [allocated])
  assert.deepEqual(await measureTrees(MAPPED, [root, root]), [allocated, allocated])
  const facts = TREE_FACTS
  assert.deepEqual((await applyFixes(MAPPED, {facts, only: ['hostname'], root})).changed, ['hostname'])
  assert.deepEqual((await removeTree(MAPPED, root)).failures, [])
  assert.equal(existsSync(root), false)
})

const unmapped = skip || (process.getuid?.() === 0 && 'root needs no namespace to remove what others own')

test('outside the namespace a folder of foreign owners is reported, not removed', {
  skip: unmapped,
}, async (t) => {
  const {root} = await mappedArena(t)
  const archive = tarArchive(tarMember({gid: 7, mode: 0o700, name: 'd', type: '5', uid: 7}), file('d/f'))
  await extractRootfs(MAPPED, Readable.from([archive]), {owners: 'keep', root})
  const {failures} = await removeTree(BARE, root)
  assert.deepEqual(failures, [{code: 'EACCES', path: join(root, 'd')}])
  assert.ok(lstatSync(join(root, 'd')).isDirectory())
})
