import assert from 'node:assert/strict'
import {test} from 'node:test'
import {extractionArena, UNTOUCHED} from '../../support/extraction.js'
import {
  file,
  folder,
  gnuLongText,
  hardlink,
  paxHeader,
  symlink,
  tarArchive,
  tarMember,
} from '../../support/tar-archive.js'

for (const [what, ...members] of [
  ['a name that begins with ..', file('../sentinel.txt', 'pwned')],
  ['a name with .. in its middle', folder('a'), file('a/../../sentinel.txt', 'pwned')],
  ['a name that is ..', folder('..')],
  ['a pax name with ..', paxHeader([['path', '../sentinel.txt']]), file('harmless', 'pwned')],
  ['a GNU long name with ..', gnuLongText('L', '../sentinel.txt'), file('harmless', 'pwned')],
  ['a pax name with a zero byte', paxHeader([['path', 'a\0b']]), file('harmless')],
  ['a hard link to a name with ..', hardlink('inside', '../sentinel.txt')],
  ['a hard link to nothing', hardlink('inside', 'nothing')],
  ['a hard link to the absolute path of a host file', hardlink('inside', '/etc/passwd')],
  ['a hard link to a folder', folder('a'), hardlink('b', 'a')],
  ['a hard link to the root', hardlink('b', '.')],
  ['a file in the place of the root', file('.')],
  ['a link in the place of the root', symlink('./', '/')],
  ['a link without a target', symlink('a', '')],
  ['a file below a file', file('a'), file('a/b')],
  ['a file below a link to itself', symlink('a', 'a'), file('a/b')],
  ['a file in the place of a folder that is not empty', folder('a'), file('a/b'), file('a')],
  ['a type that no tree can hold', tarMember({name: 'a', type: 'M'})],
] as const) {
  test(`refuses ${what}`, async (t) => {
    const arena = await extractionArena(t)
    await assert.rejects(arena.extract(tarArchive(...members)), {code: 'ENVS_ARCHIVE_REFUSED', exitCode: 6})
    assert.deepEqual(await arena.outsideContents(), UNTOUCHED)
  })
}
