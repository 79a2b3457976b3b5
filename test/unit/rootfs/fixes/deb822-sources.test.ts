import assert from 'node:assert/strict'
import {test} from 'node:test'
import {deb822Sources} from '../../../../src/apt/format/sources.js'

for (const [what, text, expected] of [
  ['a stanza', 'Types: deb\nURIs: http://a/u\nSuites: noble\nComponents: main\n', ['http://a/u noble']],
  [
    'several URIs and suites',
    'URIs: http://a/u  http://b/u\nSuites: noble noble-updates\n',
    ['http://a/u noble noble-updates', 'http://b/u noble noble-updates'],
  ],
  [
    'continuation lines',
    'URIs: http://a/u\n http://b/u\n\thttp://c/u\nSuites:\n noble\n jammy\n',
    ['http://a/u noble jammy', 'http://b/u noble jammy', 'http://c/u noble jammy'],
  ],
  ['suites before URIs', 'Suites: noble\nURIs: http://a/u\n', ['http://a/u noble']],
  ['names in any case, spaced oddly', 'uris:http://a/u\nSUITES :\tnoble\n', ['http://a/u noble']],
  [
    'two stanzas',
    'URIs: http://a/u\nSuites: noble\n\n\nURIs: http://b/u\nSuites: jammy\n',
    ['http://a/u noble', 'http://b/u jammy'],
  ],
  ['no line end at the end', 'URIs: http://a/u\nSuites: noble', ['http://a/u noble']],
  [
    'line ends of Windows',
    'URIs: http://a/u\r\nSuites: noble\r\n\r\nURIs: http://b/u\r\n http://c/u\r\nSuites: jammy\r\n',
    ['http://a/u noble', 'http://b/u jammy', 'http://c/u jammy'],
  ],
  ['a stanza that is disabled', 'Enabled: no\nURIs: http://a/u\nSuites: noble\n', ['http://a/u noble']],
  [
    'a comment between continuation lines',
    'URIs: http://a/u\n# http://no/u\n http://b/u\nSuites: noble\n',
    ['http://a/u noble', 'http://b/u noble'],
  ],
  ['a commented stanza', '#URIs: http://a/u\n#Suites: noble\n', []],
  ['a line of blanks, which ends no stanza', 'URIs: http://a/u\n \t\nSuites: noble\n', ['http://a/u noble']],
  [
    'a field given twice, of which the last holds',
    'URIs: http://a/u\nURIs: http://b/u\nSuites: noble\n',
    ['http://b/u noble'],
  ],
  [
    'a key in the stanza',
    'URIs: http://a/u\nSuites: noble\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n http://key/u\n',
    ['http://a/u noble'],
  ],
  [
    'a line without a colon',
    'nonsense\n http://no/u\nURIs: http://a/u\nSuites: noble\n',
    ['http://a/u noble'],
  ],
  ['a stanza without suites', 'URIs: http://a/u\n\nSuites: noble\n', []],
  ['the singular, which APT does not know', 'URI: http://a/u\nSuite: noble\n', []],
  ['nothing', '', []],
] as const) {
  test(`deb822 sources: ${what}`, () => {
    const found = deb822Sources.find(text)
    assert.deepEqual(
      found.map(({uri, suites}) => [uri, ...suites].join(' ')),
      expected,
    )
    for (const {uri, start, end} of found) assert.equal(text.slice(start, end), uri)
  })
}

test('a percent sign is written as it is', () => {
  assert.equal(deb822Sources.quote('http://u:p%40@a.example/u'), 'http://u:p%40@a.example/u')
})
