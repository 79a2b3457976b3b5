import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseMarker} from '../../../hosts/dialogue.js'

const word = (text: string) => Buffer.from(text).toString('base64')

test('a marker has its words between tabs, and outputs in base64', () => {
  assert.deepEqual(parseMarker('@host\tubuntu 24.04\t6.8.0-151-generic\t0.9.0\t16.52'), {
    kind: 'host',
    facts: {system: 'ubuntu 24.04', kernel: '6.8.0-151-generic', bubblewrap: '0.9.0', bootSeconds: 16.52},
  })
  assert.deepEqual(parseMarker('@step\tticket\tu\tauto\tclone'), {
    ...{kind: 'step', scene: 'ticket', account: 'u', engine: 'auto', step: 'clone'},
  })
  assert.deepEqual(parseMarker(`@done\t7\t${word('{"a": 1}\n')}\t${word('')}\r`), {
    kind: 'done',
    ran: {status: 7, stdout: '{"a": 1}\n', stderr: ''},
  })
  assert.deepEqual(parseMarker(`@entered\t1\t${word('no such profile')}`), {
    ...{kind: 'entered', status: 1, log: 'no such profile'},
  })
  assert.deepEqual(parseMarker('@end\t0'), {kind: 'end', status: 0})
})

test('any other line is no marker, also one that begins like an address', () => {
  for (const line of ['', 'Welcome to Ubuntu', '@', '@Host\tx', 'x\t@end\t0', '@host.example\t0'])
    assert.equal(parseMarker(line), undefined, line)
})

test('a marker without its words, and an unknown one, are refused', () => {
  assert.throws(() => parseMarker('@done\t0'), {
    message: 'The host said "@done\\t0": a word is missing.',
  })
  assert.throws(() => parseMarker('@begin\t0'), {message: 'The host said @begin, which is no marker.'})
})
