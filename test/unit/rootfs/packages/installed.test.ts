import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseStatus} from '../../../../src/rootfs/packages/installed.js'

const paragraph = (name: string, {status = 'install ok installed', version = '1.0-1'} = {}) =>
  `Package: ${name}\nStatus: ${status}\nPriority: optional\nVersion: ${version}\nDescription: words\n Package: other\n`

test('packages that are installed are found with their version', () => {
  assert.deepEqual(parseStatus(`${paragraph('a')}\n${paragraph('libb++', {version: '2:1.0~rc1+x-1'})}\n`), [
    {name: 'a', version: '1.0-1'},
    {name: 'libb++', version: '2:1.0~rc1+x-1'},
  ])
})

for (const status of ['deinstall ok config-files', 'install ok half-installed', 'install ok unpacked']) {
  test(`a package in the state ${status} is not installed`, () => {
    assert.deepEqual(parseStatus(paragraph('a', {status})), [])
  })
}

test('a package of two architectures comes once', () => {
  assert.deepEqual(parseStatus(`${paragraph('a')}\n${paragraph('a')}`), [{name: 'a', version: '1.0-1'}])
})

for (const [what, text] of [
  ['a name with an escape sequence', paragraph('a\x1b[2J')],
  ['a version with one', paragraph('a', {version: '1\x1b[2J'})],
  ['no version', 'Package: a\nStatus: install ok installed\n'],
] as const) {
  test(`a paragraph with ${what} is read over`, () => {
    assert.deepEqual(parseStatus(text), [])
  })
}
