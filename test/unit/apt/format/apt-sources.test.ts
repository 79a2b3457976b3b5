import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  type AptSource,
  deb822Sources,
  givesPackages,
  oneLineSources,
} from '../../../../src/apt/format/sources.js'

/** What an entry says, wherever it stands. */
function saying({uri, suites, components, signedBy}: AptSource): object {
  return {uri, suites, components, signedBy}
}

test('entries of one line are read, those that are none are not', () => {
  const text = `# deb http://off.example.org/debian trixie main
deb-src http://a.example.org/debian trixie main
deb http://a.example.org/debian/ trixie main contrib # both
 deb [ arch=amd64 signed-by=/usr/share/keyrings/b.gpg ] http://b.example.org/x stable/ main
deb cdrom:[Debian]/ trixie main
deb http://flat.example.org/ ./
`
  assert.deepEqual(oneLineSources.find(text).filter(givesPackages).map(saying), [
    {
      uri: 'http://a.example.org/debian/',
      suites: ['trixie'],
      components: ['main', 'contrib'],
      signedBy: undefined,
    },
    {
      uri: 'http://b.example.org/x',
      suites: ['stable/'],
      components: ['main'],
      signedBy: '/usr/share/keyrings/b.gpg',
    },
    {uri: 'http://flat.example.org/', suites: ['./'], components: [], signedBy: undefined},
  ])
})

test('paragraphs are read, but for those of sources and those that are off', () => {
  const text = `# a comment
Types: deb deb-src
URIs: http://a.example.org/debian
 http://b.example.org/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Types: deb-src
URIs: http://c.example.org/debian
Suites: trixie

Types: deb
URIs: http://d.example.org/debian
Suites: trixie
Enabled: no

Types: deb
URIs: http://e.example.org/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
`
  const own = {suites: ['trixie', 'trixie-updates'], components: ['main']}
  const signedBy = '/usr/share/keyrings/debian-archive-keyring.pgp'
  assert.deepEqual(deb822Sources.find(text).filter(givesPackages).map(saying), [
    {uri: 'http://a.example.org/debian', ...own, signedBy},
    {uri: 'http://b.example.org/debian', ...own, signedBy},
    {uri: 'http://e.example.org/debian', suites: ['trixie'], components: ['main'], signedBy: undefined},
  ])
})
