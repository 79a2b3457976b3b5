import assert from 'node:assert/strict'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {extractionArena} from '../../support/extraction.js'
import {file, gnuLongText, paxHeader, tarArchive, tarMember} from '../../support/tar-archive.js'

const CORRUPT = {code: 'ENVS_ARCHIVE_CORRUPT', exitCode: 6}

/** A header whose checksum is right for other bytes. */
function tampered(): Buffer {
  const member = file('a')
  member.write('b', 0, 'latin1')
  return member
}

const octal = (offset: number, text: string) => ({[offset]: Buffer.from(`${text}\0`)})

for (const [what, ...members] of [
  ['a header with a wrong checksum', file('first'), tampered()],
  ['a size that is no number', tarMember({name: 'a', patches: octal(124, '0000000009z')})],
  ['an owner that is no number', tarMember({name: 'a', patches: octal(108, 'zzzzzzz')})],
  ['a base-256 size with a bad first byte', tarMember({name: 'a', patches: {124: Buffer.from([0xc0, 1])}})],
  ['a pax record longer than its header', tarMember({data: '99 path=a\n', name: 'x', type: 'x'}), file('a')],
  ['a pax record of length 0', tarMember({data: '0 path=a\n', name: 'x', type: 'x'}), file('a')],
  ['a pax record without its newline', tarMember({data: '9 path=ab', name: 'x', type: 'x'}), file('a')],
  ['a pax record without a key', tarMember({data: '6 abc\n', name: 'x', type: 'x'}), file('a')],
  ['a pax size that is no number', paxHeader([['size', '-1']]), file('a')],
  ['a pax time that is no number', paxHeader([['mtime', 'now']]), file('a')],
  [
    'a sparse map of an odd length',
    paxHeader([
      ['GNU.sparse.map', '0'],
      ['GNU.sparse.size', '9'],
    ]),
    file('a'),
  ],
  [
    'a sparse map that goes back',
    paxHeader([
      ['GNU.sparse.map', '5,2,0,2'],
      ['GNU.sparse.size', '9'],
    ]),
    file('a'),
  ],
  [
    'a sparse map beyond its file',
    paxHeader([
      ['GNU.sparse.map', '8,4'],
      ['GNU.sparse.size', '9'],
    ]),
    file('a'),
  ],
  [
    'a sparse map that is not its data',
    paxHeader([
      ['GNU.sparse.map', '0,3'],
      ['GNU.sparse.size', '9'],
    ]),
    file('a'),
  ],
  [
    'a sparse map that never ends',
    paxHeader([
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.realsize', '9'],
    ]),
    file('a', '9\n'),
  ],
] as const) {
  test(`${what} is found damaged`, async (t) => {
    const arena = await extractionArena(t)
    await assert.rejects(arena.extract(tarArchive(...members)), CORRUPT)
  })
}

test('a pax value with a newline in it names nothing', async (t) => {
  const arena = await extractionArena(t)
  const value = 'x\n13 path=HACK\n'
  await arena.extract(tarArchive(paxHeader([['SCHILY.xattr.user.a', value]]), file('a')))
  assert.deepEqual(readdirSync(arena.root), ['a'])
})

test('a pax size counts for the file, not for a long name in between', async (t) => {
  const arena = await extractionArena(t)
  const members = [
    paxHeader([['size', '4']]),
    gnuLongText('L', 'long'),
    tarMember({data: 'data', name: 'a', sizeBytes: 0}),
  ]
  await arena.extract(tarArchive(...members))
  assert.equal(readFileSync(join(arena.root, 'long'), 'utf8'), 'data')
})

test('a global pax header renames and resizes nothing', async (t) => {
  const arena = await extractionArena(t)
  const records = [
    ['path', 'HACK'],
    ['size', '0'],
    ['linkpath', 'HACK'],
  ] as const
  await arena.extract(tarArchive(paxHeader(records, 'g'), file('a'), file('b')))
  assert.deepEqual(readdirSync(arena.root), ['a', 'b'])
})

test('a long name whose cut ends in a slash still names a file with data', async (t) => {
  const arena = await extractionArena(t)
  const cut = `${'d'.repeat(99)}/`
  await arena.extract(tarArchive(gnuLongText('L', `${cut}file`), file(cut), file('next')))
  assert.equal(readFileSync(join(arena.root, `${cut}file`), 'utf8'), 'data')
  assert.ok(existsSync(join(arena.root, 'next')))
})

test('a size given for a folder or a link is not skipped as data', async (t) => {
  const arena = await extractionArena(t)
  const members = [
    tarMember({name: 'd', sizeBytes: 4096, type: '5'}),
    tarMember({name: 's', sizeBytes: 4096, target: 'd', type: '2'}),
    file('a'),
  ]
  await arena.extract(tarArchive(...members))
  assert.deepEqual(readdirSync(arena.root), ['a', 'd', 's'])
})
