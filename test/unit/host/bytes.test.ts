import assert from 'node:assert/strict'
import {test} from 'node:test'
import {bytesOfText, hasBytes, percentWords, textOfBytes} from '../../../src/host/argv/bytes.js'

for (const [what, hex, text] of [
  ['ASCII', '61000a', 'a\0\n'],
  ['characters of two to four bytes', 'c3a4e697a5f09f9982', 'ä日🙂'],
  ['Latin-1', '636166e9', 'caf\udce9'],
  ['a start without its end', 'e697', '\udce6\udc97'],
  ['an end without its start', '80', '\udc80'],
  ['a character in too many bytes', 'c0af', '\udcc0\udcaf'],
  ['a surrogate', 'eda080', '\udced\udca0\udc80'],
  ['a code point beyond the last', 'f4908080', '\udcf4\udc90\udc80\udc80'],
  ['a replacement character that was typed', 'efbfbd', '\ufffd'],
  ['bytes beside characters', 'ffc3a4fe', '\udcffä\udcfe'],
] as const) {
  test(`keeps ${what}`, () => {
    const bytes = Buffer.from(hex, 'hex')
    assert.equal(textOfBytes(bytes), text)
    assert.deepEqual(bytesOfText(text), bytes)
  })
}

test('finds bytes only where there are some', () => {
  assert.deepEqual(['ä', '🙂', '\ufffd', 'caf\udce9'].map(hasBytes), [false, false, false, true])
})

test('words of characters are passed as they are', () => {
  assert.deepEqual(percentWords(['a', '100%', 'ä']), ['a', '100%', 'ä'])
})

test('one word with a byte makes all words percent-encoded', () => {
  assert.deepEqual(percentWords(['ä', '100%', 'caf\udce9', '🙂']), ['%', 'ä', '100%25', 'caf%e9', '🙂'])
})
