import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type DebParts, readDebParts} from '../../../../src/apt/format/deb.js'

type Part = readonly [name: string, data: string]

const WHOLE: readonly Part[] = [
  ['debian-binary', '2.0\n'],
  ['control.tar.gz', 'odd'],
  ['data.tar.xz', 'files'],
]

function header(name: string, size: string, end = '`\n'): string {
  return `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${size.padEnd(10)}${end}`
}

function ar(parts: readonly Part[]): Buffer {
  const members = parts.map(
    ([name, data]) => `${header(name, String(data.length))}${data}${data.length % 2 === 0 ? '' : '\n'}`,
  )
  return Buffer.from(`!<arch>\n${members.join('')}`, 'latin1')
}

function read(bytes: Buffer): DebParts {
  return readDebParts((offset, length) => bytes.subarray(offset, offset + length), bytes.length)
}

function textOf(bytes: Buffer, {offset, sizeBytes}: {offset: number; sizeBytes: number}): string {
  return bytes.toString('latin1', offset, offset + sizeBytes)
}

test('finds both archives, each at an even place', () => {
  const bytes = ar(WHOLE)
  const {control, data} = read(bytes)
  assert.deepEqual([control.name, textOf(bytes, control)], ['control.tar.gz', 'odd'])
  assert.deepEqual([data.name, textOf(bytes, data)], ['data.tar.xz', 'files'])
})

test('passes over parts whose names begin with an underscore, and over what comes behind', () => {
  const bytes = ar([WHOLE[0] ?? ['', ''], ['_gpgorigin', 'x'], ...WHOLE.slice(1), ['later', 'more']])
  assert.equal(textOf(bytes, read(bytes).data), 'files')
})

for (const [what, bytes, reason] of [
  ['something else', Buffer.from('!<arch>'), 'it does not begin as an ar archive'],
  ['another format', ar([['debian-binary', '3.0\n'], ...WHOLE.slice(1)]), 'its format is not version 2'],
  ['an archive of objects', ar([['code.o', 'x']]), 'it does not begin with debian-binary'],
  ['a package without files', ar(WHOLE.slice(0, 2)), 'it has no data.tar'],
  ['a package without control', ar([...WHOLE.slice(0, 1), ...WHOLE.slice(2)]), 'it has no control.tar'],
  ['one that is cut short', ar(WHOLE).subarray(0, -3), 'data.tar.xz is cut short'],
  ['half a header', ar(WHOLE).subarray(0, 90), 'a header in it is damaged'],
  [
    'a size that is no number',
    Buffer.from(`!<arch>\n${header('debian-binary', '0x4')}2.0\n`, 'latin1'),
    'a size in it is not a number',
  ],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => read(bytes), {name: 'DebFormatError', reason})
  })
}
