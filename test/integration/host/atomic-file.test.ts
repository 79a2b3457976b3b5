import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {mkdir, readdir, readFile, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {writeFileAtomic} from '../../../src/host/files.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

test('what killed writers of a file left goes with the next write of it, and nothing else', async (t) => {
  const folder = await temporaryFolder(t)
  const {pid: dead} = spawnSync('true')
  const stays = [
    // Of one that lives, of another file, and of no writer's form.
    `file.partial-${process.pid}-0123abcd`,
    `other.partial-${dead}-0123abcd`,
    `file.partial-${dead}-0123`,
    `file.partial-${dead}-0123abcd.old`,
  ]
  for (const name of [...stays, `file.partial-${dead}-0123abcd`]) await writeFile(join(folder, name), 'x')
  await writeFile(join(folder, 'aim'), 'mine')
  await symlink(join(folder, 'aim'), join(folder, `file.partial-${dead}-aaaaaaaa`))
  await writeFileAtomic(join(folder, 'file'), 'new', {mode: 0o600})
  assert.deepEqual((await readdir(folder)).sort(), ['aim', 'file', ...stays].sort())
  assert.equal(await readFile(join(folder, 'aim'), 'utf8'), 'mine')
})

test('a folder where a killed writer’s file would be is no reason to fail', async (t) => {
  const folder = await temporaryFolder(t)
  const {pid: dead} = spawnSync('true')
  await mkdir(join(folder, `file.partial-${dead}-0123abcd`))
  await writeFileAtomic(join(folder, 'file'), 'new', {mode: 0o600})
  assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'new')
})
