import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseDpkgStatus} from '../../../../src/apt/format/control.js'

const MD5 = '0123456789abcdef0123456789abcdef'

const paragraph = (
  name: string,
  {state = 'installed', version = '1.0-1', architecture = 'amd64', more = ''} = {},
) =>
  `Package: ${name}\nStatus: install ok ${state}\nArchitecture: ${architecture}\nVersion: ${version}\n${more}Description: words\n`

test('packages are known by name and architecture', () => {
  const text = `${paragraph('a')}\n${paragraph('a', {architecture: 'i386', version: '2'})}`
  assert.deepEqual(
    [...parseDpkgStatus(text)].map(([key, {version}]) => [key, version]),
    [
      ['a:amd64', '1.0-1'],
      ['a:i386', '2'],
    ],
  )
})

for (const state of ['config-files', 'not-installed']) {
  test(`a package in the state ${state} is not there`, () => {
    assert.equal(parseDpkgStatus(paragraph('a', {state})).size, 0)
  })
}

for (const state of ['half-installed', 'unpacked', 'half-configured', 'triggers-pending']) {
  test(`a package in the state ${state} is there in parts`, () => {
    assert.equal(parseDpkgStatus(paragraph('a', {state})).get('a:amd64')?.state, state)
  })
}

test('settings come with the digest that the package brought, whatever dpkg notes beside it', () => {
  const more = `Conffiles:\n /etc/a ${MD5}\n /etc/with space ${MD5}\n /etc/old ${MD5} obsolete\n /etc/new newconffile\n nonsense\n`
  const [found] = parseDpkgStatus(paragraph('a', {more})).values()
  assert.deepEqual(
    [...(found?.conffiles ?? [])],
    [
      ['etc/a', MD5],
      ['etc/with space', MD5],
      ['etc/old', MD5],
    ],
  )
})

test('a field of another name that begins alike holds no settings', () => {
  const [found] = parseDpkgStatus(paragraph('a', {more: `Old-Conffiles:\n /etc/a ${MD5}\n`})).values()
  assert.equal(found?.conffiles.size, 0)
})

for (const [what, text] of [
  ['a name with an escape sequence', paragraph('a\x1b[2J')],
  ['a version with one', paragraph('a', {version: '1\x1b[2J'})],
  ['no architecture', 'Package: a\nStatus: install ok installed\nVersion: 1\n'],
  ['nothing that belongs there', 'x'],
] as const) {
  test(`a paragraph with ${what} is read over`, () => {
    assert.equal(parseDpkgStatus(text).size, 0)
  })
}
