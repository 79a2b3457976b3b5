import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readParagraphs} from '../../../src/apt/format/control.js'
import {
  openPackageIndex,
  PackageIndexBuilder,
  parseRecord,
  RECORD_FIELDS,
} from '../../../src/apt/package-index.js'

const TEXT = `Package: mawk
Version: 1.3-2
Architecture: amd64
Priority: required
Essential: no
Provides: awk,
 awk-compatible (= 1)
Depends: libc6 (>= 2.41),
 libm
Filename: pool/main/m/mawk/mawk_1.3-2_amd64.deb
Size: 1234
SHA256: ${'a'.repeat(64)}
Installed-Size: 7
Description: words

Package: apt
Version: 3
Priority: important

Version: of nothing
`

function build(): Buffer {
  const builder = new PackageIndexBuilder()
  const reader = readParagraphs(RECORD_FIELDS, (paragraph) => builder.add(paragraph))
  reader.push(Buffer.from(TEXT))
  reader.end()
  return builder.finish()
}

test('what was taken in can be looked up by name, by what is provided and by priority', () => {
  const index = openPackageIndex(build())
  assert.ok(index)
  const [line = ''] = index.records.find('mawk')
  assert.deepEqual(parseRecord('mawk', line), {
    name: 'mawk',
    version: '1.3-2',
    architecture: 'amd64',
    priority: 'required',
    isEssential: false,
    provides: 'awk, awk-compatible (= 1)',
    preDepends: '',
    depends: 'libc6 (>= 2.41), libm',
    filename: 'pool/main/m/mawk/mawk_1.3-2_amd64.deb',
    sizeBytes: 1234,
    sha256: 'a'.repeat(64),
    installedBytes: 7 * 1024,
  })
  assert.deepEqual(index.providers.find('awk'), ['mawk'])
  assert.deepEqual(index.providers.find('awk-compatible'), ['mawk'])
  assert.deepEqual([index.required, index.important], [['mawk'], ['apt']])
  assert.deepEqual([...index.records.keys()], ['apt', 'mawk'])
})

test('a file with any byte changed, or its end cut off, is as none', () => {
  const file = build()
  for (let at = 0; at < file.length; at++) {
    const damaged = Buffer.from(file)
    damaged[at] = (damaged[at] ?? 0) ^ 1
    assert.equal(openPackageIndex(damaged), undefined, String(at))
  }
  for (const length of [0, 1, 100, file.length - 1]) {
    assert.equal(openPackageIndex(file.subarray(0, length)), undefined)
  }
})
