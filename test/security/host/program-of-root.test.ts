import assert from 'node:assert/strict'
import {chmod, copyFile, mkdir, realpath, symlink} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {findRootsPath} from '../../../src/host/own-folders.js'
import {fetchedTool, toolsFolder} from '../../../src/host/paths.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

/** An administrator gives rights to a path that the doctor names: any program that is put there would get them. */

const PROGRAM = '/usr/bin/unshare'

async function folderWith(t: TestContext, name: string): Promise<string> {
  const folder = await temporaryFolder(t)
  await copyFile(PROGRAM, join(folder, name))
  await chmod(join(folder, name), 0o755)
  return folder
}

test('a program of root is named by its path without symlinks', async () => {
  assert.equal(findRootsPath(PROGRAM), await realpath(PROGRAM))
  // A symlink of root in most distributions.
  assert.equal(findRootsPath('/bin/unshare'), await realpath('/bin/unshare'))
})

test('a program in a folder of the user is not', async (t) => {
  assert.equal(findRootsPath(join(await folderWith(t, 'bwrap'), 'bwrap')), undefined)
})

test('a program that envs downloaded is not', async (t) => {
  const data = await temporaryFolder(t)
  const folder = join(toolsFolder({data}), 'bubblewrap', '0.12.0')
  await mkdir(folder, {recursive: true})
  await copyFile(PROGRAM, join(folder, 'bwrap'))
  assert.equal(fetchedTool({data}, 'bubblewrap'), folder)
  assert.equal(findRootsPath(join(folder, 'bwrap')), undefined)
})

test('a symlink of the user to a program of root is not', async (t) => {
  const folder = await temporaryFolder(t)
  await symlink(PROGRAM, join(folder, 'unshare'))
  assert.equal(findRootsPath(join(folder, 'unshare')), undefined)
  // The program is root's, and the folder on the way to it is the user's.
  await symlink('/usr/bin', join(folder, 'bin'))
  assert.equal(findRootsPath(join(folder, 'bin/unshare')), undefined)
})

test('a missing program, and one in a folder that all may write to, are not', () => {
  assert.equal(findRootsPath('/usr/bin/envs-no-such-program'), undefined)
  assert.equal(findRootsPath('/tmp'), undefined)
})
