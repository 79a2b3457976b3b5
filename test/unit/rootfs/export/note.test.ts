import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type ExportNote, formatNote, parseNote} from '../../../../src/rootfs/export/note.js'

const NOTE: ExportNote = {
  name: 'play',
  image: {name: 'ubuntu:noble/base', version: '20260901', sha256: 'a'.repeat(64)},
  identity: 'mapped',
  architecture: 'amd64',
  createdAt: new Date('2026-09-02T03:04:05.678Z'),
  envs: '0.1.0',
}

test('a note reads back as it was written', () => {
  assert.deepEqual(parseNote(formatNote(NOTE)), NOTE)
  const unnamed = {...NOTE, image: {...NOTE.image, name: null, version: null}}
  assert.deepEqual(parseNote(formatNote(unnamed)), unnamed)
})

test('a note is one line of ASCII', () => {
  assert.match(formatNote({...NOTE, name: 'bäck\nup\u{1f600}'}), /^envs-export:[\x20-\x7e]+$/)
})

const text = formatNote(NOTE)

for (const [what, comment] of [
  ['the comment of another program', 'made by hand'],
  ['no JSON', 'envs-export:{'],
  ['a list', 'envs-export:[]'],
  ['another schema version', text.replace('"schemaVersion":1', '"schemaVersion":2')],
  ['a name with an escape sequence', text.replace('"play"', '"\\u001b[2Jplay"')],
  ['a name of two lines', text.replace('"play"', '"play\\nCreated root"')],
  ['a name that is too long', text.replace('"play"', `"${'p'.repeat(129)}"`)],
  ['a version with a blank', text.replace('"20260901"', '"signed by you"')],
  ['an identity nobody knows', text.replace('"mapped"', '"real"')],
  ['a time that is none', text.replace('2026-09-02T03', 'soon')],
  ['no image', text.replace('"image"', '"images"')],
  ['more than a note has', text.replace('{', `{"more":"${'x'.repeat(5000)}",`)],
] as const) {
  test(`a comment with ${what} is no note`, () => {
    assert.notEqual(comment, text)
    assert.equal(parseNote(comment), undefined)
  })
}
