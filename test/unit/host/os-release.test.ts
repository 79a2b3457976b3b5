import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseOsRelease} from '../../../src/host/machine/os-release.js'

for (const [what, text, expected] of [
  [
    'Debian',
    'PRETTY_NAME="Debian"\nVERSION_CODENAME=trixie\nID=debian\n',
    {id: 'debian', codename: 'trixie'},
  ],
  ['quoted values', 'ID="ubuntu"\nVERSION_CODENAME=\'noble\'\n', {id: 'ubuntu', codename: 'noble'}],
  ['a distribution without codenames', 'ID=arch\n', {id: 'arch', codename: undefined}],
  [
    'comments and empty values',
    '# ID=debian\n\nID=\nVERSION_CODENAME=""\n',
    {id: undefined, codename: undefined},
  ],
  ['a name given twice, of which the last holds', 'ID=a\nID=b\n', {id: 'b', codename: undefined}],
] as const) {
  test(`reads ${what}`, () => {
    assert.deepEqual(parseOsRelease(text), expected)
  })
}
