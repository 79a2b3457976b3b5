import assert from 'node:assert/strict'
import {copyFile, mkdir, readdir, readFile, rename, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {libraryFolders, writeLaunchers} from '../../../../src/environments/tools/fetch.js'
import {capture} from '../../../../src/host/process.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'
import {librariesOf} from '../../../support/tool-packages.js'

const PROGRAM = '/usr/bin/true'
const TOOL = {tool: 'tool', programs: ['usr/bin/true']}

/** A tool's folder with a program of this host and what it loads. */
async function givenTool(t: TestContext): Promise<string> {
  const folder = join(await temporaryFolder(t), 'tool')
  const {libc, others} = libraryFolders(folder)
  for (const path of [folder, libc, others]) await mkdir(path)
  await copyFile(PROGRAM, join(others, 'true'))
  for (const path of await librariesOf(PROGRAM)) await copyFile(path, join(libc, basename(path)))
  return folder
}

test("a program is started by the host's own loader, and the fetched one goes", async (t) => {
  const folder = await givenTool(t)
  await writeLaunchers(TOOL, folder)
  assert.match(await readFile(join(folder, 'true'), 'utf8'), /^exec \/lib\S*\/ld\S* /m)
  assert.deepEqual((await readdir(folder)).sort(), ['lib', 'true'])
  assert.equal((await capture([join(folder, 'true')])).status, 0)
})

test("where the host's C library does not do, the fetched one does, wherever the folder is moved", async (t) => {
  const folder = await givenTool(t)
  // As a C library that is too old for the program.
  await writeFile(join(libraryFolders(folder).others, 'libc.so.6'), 'no library')
  await writeLaunchers(TOOL, folder)
  assert.match(await readFile(join(folder, 'true'), 'utf8'), /^exec "\$here\/libc\/ld/m)
  await rename(folder, `${folder} elsewhere`)
  assert.equal((await capture([join(`${folder} elsewhere`, 'true')])).status, 0)
})

test('a program that can not be started either way is refused in words', async (t) => {
  const folder = await givenTool(t)
  await writeFile(join(libraryFolders(folder).others, 'true'), 'no program')
  await assert.rejects(writeLaunchers(TOOL, folder), {
    code: 'ENVS_TOOL_NOT_RUNNABLE',
    exitCode: 7,
  })
})
