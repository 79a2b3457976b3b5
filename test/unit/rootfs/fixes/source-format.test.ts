import assert from 'node:assert/strict'
import {test} from 'node:test'
import {deb822Sources, oneLineSources, replaceUris} from '../../../../src/apt/format/sources.js'

test('only the URIs that are chosen change in one-line sources', () => {
  const text =
    '# ü\r\n deb\t[arch=amd64]  http://a/u   noble main # x\r\ndeb http://b/u noble\n#deb http://a/u noble'
  assert.equal(
    replaceUris(text, oneLineSources, ({uri}) => (uri === 'http://a/u' ? 'http://new/%20' : undefined)),
    '# ü\r\n deb\t[arch=amd64]  http://new/%2520   noble main # x\r\ndeb http://b/u noble\n#deb http://a/u noble',
  )
})

test('only the URIs that are chosen change in a stanza', () => {
  const text = '# c\nURIs:  http://a/u\n  http://b/u http://a/u \nX-Own:  http://a/u\nSuites: noble\n'
  assert.equal(
    replaceUris(text, deb822Sources, ({uri}) => (uri === 'http://a/u' ? 'http://new/%20' : undefined)),
    '# c\nURIs:  http://new/%20\n  http://b/u http://new/%20 \nX-Own:  http://a/u\nSuites: noble\n',
  )
})

test('a URI with letters of any script is written in UTF-8', () => {
  const replaced = replaceUris('deb http://a/u noble', oneLineSources, () => 'http://ü.example/u')
  assert.equal(Buffer.from(replaced, 'latin1').toString('utf8'), 'deb http://ü.example/u noble')
})
