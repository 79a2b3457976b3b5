import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseSha256Sums} from '../../../../src/images/sources/listings.js'
import {fixture} from '../../../support/fixture.js'

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]
const NAME = 'SHA256SUMS'

for (const [what, text] of [
  ['binary mode', `${A} *x.tar.gz\n${B} *y z.iso\n`],
  ['text mode', `${A}  x.tar.gz\n${B}  y z.iso\n`],
  ['BSD style', `SHA256 (x.tar.gz) = ${A}\nSHA256 (y z.iso) = ${B}\n`],
  ['both modes, blank lines and no last line end', `\n${A} *x.tar.gz\n\n${B}  y z.iso`],
] as const) {
  test(`reads a listing in ${what}`, () => {
    assert.deepEqual(
      [...parseSha256Sums(Buffer.from(text), NAME)],
      [
        ['x.tar.gz', A],
        ['y z.iso', B],
      ],
    )
  })
}

test('a file that is listed twice with one digest is listed', () => {
  assert.deepEqual([...parseSha256Sums(Buffer.from(`${A} *x\n${A}  x\n`), NAME)], [['x', A]])
})

test('a name with parentheses is read in BSD style', () => {
  const text = `SHA256 (x (1).tar) = ${A}\n`
  assert.deepEqual([...parseSha256Sums(Buffer.from(text), NAME).keys()], ['x (1).tar'])
})

for (const [what, text, at, reason] of [
  ['a folder in a name', `${A} *x/y\n`, 1, 'not the name of a file'],
  ['a way out of the folder', `${A} *../x\n`, 1, 'not the name of a file'],
  ['a hidden file', `${B} *y\n${A} *.x\n`, 2, 'not the name of a file'],
  ['an escape sequence in a name', `${A} *x\u001b[2J\n`, 1, 'not the name of a file'],
  ['a NUL in a name', `${A} *x\0y\n`, 1, 'not the name of a file'],
  ['CRLF line ends', `${A} *x\r\n`, 1, 'not a digest and a name'],
  ['a name of more bytes than a file can have', `${A} *${'x'.repeat(256)}\n`, 1, 'not the name of a file'],
  ['a folder in BSD style', `SHA256 (x/y) = ${A}\n`, 1, 'not the name of a file'],
  ['an upper-case digest', `${A.toUpperCase()} *x\n`, 1, 'not a digest and a name'],
  ['a short digest', `${A.slice(1)} *x\n`, 1, 'not a digest and a name'],
  ['another algorithm', `SHA512 (x) = ${A}\n`, 1, 'not a digest and a name'],
  ['one blank before the name', `${A} x\n`, 1, 'not a digest and a name'],
  ['no name', `${A} *\n`, 1, 'not a digest and a name'],
  ['a web page', '<html>\n', 1, 'not a digest and a name'],
  ['a byte order mark', `\uFEFF${A} *x\n`, 1, 'not a digest and a name'],
  ['two digests for one file', `${A} *x\n\n${B} *x\n`, 3, 'a second digest for the same file'],
  ['too many lines', '\n'.repeat(20_000), 20_000, 'too many lines'],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseSha256Sums(Buffer.from(text), NAME), {
      name: 'MalformedListingError',
      code: 'ENVS_MALFORMED_LISTING',
      exitCode: 6,
      message: `"SHA256SUMS" is malformed at line ${at}: ${reason}.`,
    })
  })
}

for (const [path, files, file, digest] of [
  [
    'ubuntu-base/24.04-20261001/SHA256SUMS',
    18,
    'ubuntu-base-24.04.5-base-amd64.tar.gz',
    'e77b6f10c2590cef872b33ee9f635a0e3fd1f57fb074c0e52b5c7f56147a0c86',
  ],
  [
    'lxc/debian-trixie-arm64-20260829/SHA256SUMS',
    9,
    'rootfs.tar.xz',
    'c2eed8f2bf4fe70287ba9244161f30aefdb86328f5759d7efcdbf2b8a92288d6',
  ],
] as const) {
  test(`reads the real ${path}`, () => {
    const sums = parseSha256Sums(fixture(path), path)
    assert.equal(sums.size, files)
    assert.equal(sums.get(file), digest)
  })
}
