import assert from 'node:assert/strict'
import {mkdir, readdir, readlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {gzipSync} from 'node:zlib'
import {extractLibraries} from '../../../../src/rootfs/debs/extract.js'
import {arArchive} from '../../../support/deb-file.js'
import {which} from '../../../support/extraction.js'
import {tarArchive, tarMember} from '../../../support/tar-archive.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

async function extracted(t: TestContext, ...members: Buffer[]) {
  const home = await temporaryFolder(t)
  const [path, folder] = [join(home, 'libevil.deb'), join(home, 'lib')]
  await mkdir(folder)
  const control = 'Package: libevil\nVersion: 1\nArchitecture: all\n'
  await writeFile(
    path,
    arArchive([
      ['debian-binary', Buffer.from('2.0\n')],
      ['control.tar.gz', gzipSync(tarArchive(tarMember({name: './control', data: control})))],
      ['data.tar.gz', gzipSync(tarArchive(...members))],
    ]),
  )
  const extraction = extractLibraries({name: 'libevil', path}, folder, {which})
  return {home, folder, extraction}
}

const library = (name: string) => tarMember({name, data: 'library'})
const link = (name: string, target: string) => tarMember({name, type: '2', target})

test('libraries and the links between them are taken, and nothing else', async (t) => {
  const {folder, extraction} = await extracted(
    t,
    library('./usr/lib/triplet/libgood.so.1.2'),
    link('./usr/lib/triplet/libgood.so.1', 'libgood.so.1.2'),
    library('./usr/lib/triplet/gconv/libplugin.so'),
    library('./usr/share/libdata.so'),
    library('./usr/lib/triplet/notes.txt'),
  )
  await extraction
  assert.deepEqual((await readdir(folder)).sort(), ['libgood.so.1', 'libgood.so.1.2'])
  assert.equal(await readlink(join(folder, 'libgood.so.1')), 'libgood.so.1.2')
})

test('a link that leads out of the folder is not made, so nothing is written through it', async (t) => {
  const {home, folder, extraction} = await extracted(
    t,
    link('./usr/lib/libout.so', '../sentinel'),
    link('./usr/lib/libroot.so.1', '/etc/passwd'),
    library('./usr/lib/libout.so'),
  )
  await extraction
  assert.deepEqual(await readdir(folder), ['libout.so'])
  assert.deepEqual((await readdir(home)).sort(), ['lib', 'libevil.deb'])
})

test('a file by the name of a link that was made is refused', async (t) => {
  const {folder, extraction} = await extracted(
    t,
    link('./usr/lib/libone.so', 'libtwo.so'),
    library('./usr/lib/other/libone.so'),
  )
  await assert.rejects(extraction, {code: 'ENVS_PACKAGE_REFUSED'})
  assert.deepEqual(await readdir(folder), ['libone.so'])
})

test('a name that leads out of its folder is refused', async (t) => {
  const {home, extraction} = await extracted(t, library('./usr/lib/../../libout.so'))
  await assert.rejects(extraction)
  assert.deepEqual((await readdir(home)).sort(), ['lib', 'libevil.deb'])
})
