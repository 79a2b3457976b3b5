import assert from 'node:assert/strict'
import {readdir, readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {extractPrograms} from '../../../../src/rootfs/debs/extract.js'
import {type DebContent, makeDeb} from '../../../support/deb-file.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const CONTROL =
  'Package: emulators\nVersion: 1\nArchitecture: amd64\nMaintainer: none <none@localhost>\nDescription: test\n'
const DATA = Buffer.alloc(300_000, 'program')

async function given(t: TestContext, files: NonNullable<DebContent['files']>) {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'emulators.deb')
  await writeFile(path, makeDeb({control: CONTROL, files}))
  const destination = join(folder, 'out')
  const extract = (member: string) =>
    extractPrograms({name: 'emulators', path}, new Map([[member, destination]]), {which: () => undefined})
  return {folder, destination, extract}
}

test('the program that is asked for comes, as one, and nothing else', async (t) => {
  const {folder, destination, extract} = await given(t, {'usr/bin/one': DATA, 'usr/bin/two': 'other'})
  await extract('usr/bin/one')
  assert.deepEqual(await readFile(destination), DATA)
  assert.equal((await stat(destination)).mode & 0o7777, 0o755)
  assert.deepEqual((await readdir(folder)).sort(), ['emulators.deb', 'out'])
})

test('a package without it is refused', async (t) => {
  const {extract} = await given(t, {'usr/bin/two': 'other'})
  await assert.rejects(extract('usr/bin/one'), {code: 'ENVS_PACKAGE_REFUSED'})
})

test('a folder in its place is refused', async (t) => {
  const {extract} = await given(t, {'usr/bin/one/file': 'data'})
  await assert.rejects(extract('usr/bin/one'), {code: 'ENVS_PACKAGE_REFUSED'})
})

test('what lies where it is to go is left alone', async (t) => {
  const {destination, extract} = await given(t, {'usr/bin/one': DATA})
  await writeFile(destination, 'mine')
  await assert.rejects(extract('usr/bin/one'), {code: 'EEXIST'})
  assert.equal(await readFile(destination, 'utf8'), 'mine')
})
