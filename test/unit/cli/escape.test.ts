import assert from 'node:assert/strict'
import {test} from 'node:test'
import {escapeLines, escapeText} from '../../../src/cli/output.js'

for (const [what, text, shown] of [
  ['an escape sequence', '\x1b[2Jgone', '\\e[2Jgone'],
  ['a line end', 'a\nb', 'a\\nb'],
  ['a carriage return', 'a\rb', 'a\\rb'],
  ['a tab', 'a\tb', 'a\\tb'],
  ['NUL and DEL', '\0\x7f', '\\x00\\x7f'],
  ['a C1 control sequence introducer', '\x9b31m', '\\x9b31m'],
  ['an order reversed by a bidirectional override', 'exe\u202egpj', 'exe\\u{202e}gpj'],
  ['a bidirectional isolate', 'a\u2066b', 'a\\u{2066}b'],
  ['an invisible space', 'a\u200bb', 'a\\u{200b}b'],
  ['a byte order mark', '\ufeffa', '\\u{feff}a'],
  ['half a surrogate pair', 'a\ud800b', 'a\\u{d800}b'],
  ['an invisible tag character', 'a\u{e0041}b', 'a\\u{e0041}b'],
] as const) {
  test(`shows ${what} as an escape`, () => {
    assert.equal(escapeText(text), shown)
  })
}

for (const text of ['plain', 'Grüße, 日本語, עברית', '🎉', 'a\\b', '']) {
  test(`leaves ${JSON.stringify(text)} as it is`, () => {
    assert.equal(escapeText(text), text)
  })
}

test('keeps the line ends of text that was laid out, and nothing else', () => {
  assert.equal(escapeLines('a\nb\x1b\r\n'), 'a\nb\\e\\r\n')
})
