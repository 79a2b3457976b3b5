import assert from 'node:assert/strict'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {gzipSync} from 'node:zlib'
import {extractFolder} from '../../../../src/rootfs/debs/extract.js'
import {arArchive} from '../../../support/deb-file.js'
import {which} from '../../../support/extraction.js'
import {tarArchive, tarMember} from '../../../support/tar-archive.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const PLACE = /^usr\/lib\/modules\/(?<name>.+)$/

async function extracted(t: TestContext, ...members: Buffer[]) {
  const home = await temporaryFolder(t)
  const [path, into] = [join(home, 'evil.deb'), join(home, 'modules')]
  const control = 'Package: evil\nVersion: 1\nArchitecture: all\n'
  await writeFile(
    path,
    arArchive([
      ['debian-binary', Buffer.from('2.0\n')],
      ['control.tar.gz', gzipSync(tarArchive(tarMember({name: './control', data: control})))],
      ['data.tar.gz', gzipSync(tarArchive(...members))],
    ]),
  )
  const extraction = extractFolder({name: 'evil', path}, {place: PLACE, into}, {which})
  return {home, into, extraction}
}

const file = (name: string, data = 'module') => tarMember({name, data})
const link = (name: string, target: string) => tarMember({name, type: '2', target})

test('the files of the folder are taken with those below it, and nothing else', async (t) => {
  const {home, into, extraction} = await extracted(
    t,
    file('./usr/lib/modules/strict.pm'),
    file('./usr/lib/modules/auto/POSIX/POSIX.so', 'object'),
    file('./usr/lib/other/evil.pm'),
    file('./etc/usr/lib/modules/evil.pm'),
    link('./usr/lib/modules/link.pm', '/etc/passwd'),
  )
  await extraction
  const names = await readdir(into, {recursive: true})
  assert.deepEqual(names.sort(), ['auto', 'auto/POSIX', 'auto/POSIX/POSIX.so', 'strict.pm'])
  assert.equal(await readFile(join(into, 'auto/POSIX/POSIX.so'), 'utf8'), 'object')
  assert.deepEqual((await readdir(home)).sort(), ['evil.deb', 'modules'])
})

test('a link to a folder outside is not followed by what comes after it', async (t) => {
  const {home, into, extraction} = await extracted(
    t,
    link('./usr/lib/modules/auto', '../..'),
    file('./usr/lib/modules/auto/evil.pm'),
  )
  await extraction
  assert.deepEqual(await readdir(into, {recursive: true}), ['auto', 'auto/evil.pm'])
  assert.deepEqual((await readdir(home)).sort(), ['evil.deb', 'modules'])
})

for (const [what, members, message] of [
  ['a name that leads out', [file('./usr/lib/modules/../../../../evil.pm')], /leads out of its folder/],
  [
    'a file that is there twice',
    [file('./usr/lib/modules/a.pm'), file('./usr/lib/modules/./a.pm')],
    /it has two files a\.pm/,
  ],
  ['none of the files', [file('./usr/lib/other/a.pm')], /it has none of the requested files/],
] as const) {
  test(`a package with ${what} is refused`, async (t) => {
    const {home, extraction} = await extracted(t, ...members)
    await assert.rejects(extraction, {message})
    assert.equal((await readdir(home)).includes('evil.pm'), false)
  })
}
