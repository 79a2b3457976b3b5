import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseDpkgStatus} from '../../../src/apt/format/control.js'
import {installedIn} from '../../../src/rootfs/installed-packages.js'

const paragraph = (
  name: string,
  {status = 'install ok installed', version = '1.0-1', architecture = 'amd64'} = {},
) =>
  `Package: ${name}\nStatus: ${status}\nPriority: optional\nArchitecture: ${architecture}\nVersion: ${version}\nDescription: words\n Package: other\n`

const installedOf = (text: string) => installedIn(parseDpkgStatus(text))

test('packages that are installed are found with their version', () => {
  assert.deepEqual(installedOf(`${paragraph('a')}\n${paragraph('libb++', {version: '2:1.0~rc1+x-1'})}\n`), [
    {name: 'a', version: '1.0-1'},
    {name: 'libb++', version: '2:1.0~rc1+x-1'},
  ])
})

for (const status of ['deinstall ok config-files', 'install ok half-installed', 'install ok unpacked']) {
  test(`a package in the state ${status} is not installed`, () => {
    assert.deepEqual(installedOf(paragraph('a', {status})), [])
  })
}

test('a package of two architectures comes once', () => {
  assert.deepEqual(installedOf(`${paragraph('a')}\n${paragraph('a', {architecture: 'i386'})}`), [
    {name: 'a', version: '1.0-1'},
  ])
})

for (const [what, text] of [
  ['a name with an escape sequence', paragraph('a\x1b[2J')],
  ['a version with one', paragraph('a', {version: '1\x1b[2J'})],
  ['no version', 'Package: a\nStatus: install ok installed\nArchitecture: amd64\n'],
] as const) {
  test(`a paragraph with ${what} is read over`, () => {
    assert.deepEqual(installedOf(text), [])
  })
}
