import assert from 'node:assert/strict'
import {test} from 'node:test'

import Run from '../../../commands/run.js'
import {separateGuestCommand, splitAtSeparator} from '../../../src/cli/session-line.js'

for (const [what, typed, separated] of [
  ['a plain command', 'run web ls', 'run web -- ls'],
  ['the alias', 'exec web ls', 'exec web -- ls'],
  ["the guest's own options", 'run web ls -la --help --json', 'run web -- ls -la --help --json'],
  ['repeated arguments', 'run web echo a b a b', 'run web -- echo a b a b'],
  ['a separator the user put there', 'run web -- ls', 'run web -- ls'],
  ["a second separator, which is the guest's", 'run web -- -- x', 'run web -- -- x'],
  ["a later separator, which is the guest's", 'run web git log -- f', 'run web -- git log -- f'],
  ['own options before NAME', 'run -q -u me -e A=1 --env B web id', 'run -q -u me -e A=1 --env B web -- id'],
  ['values given with =', 'run --user=me --workdir=/ web id', 'run --user=me --workdir=/ web -- id'],
  ['a value that looks like a name', 'run -w web web id', 'run -w web web -- id'],
  ['a value that looks like an option', 'run -e --json web id', 'run -e --json web -- id'],
  ['an option right after NAME', 'run web --json', 'run web -- --json'],
  ['no command', 'run web', 'run web --'],
  ['-d with the flags of podman for the terminal', 'run -dit -i -t web top', 'run -d web -- top'],
  ['a value that is such a flag', 'run -e -it web id', 'run -e -it web -- id'],
  ['such flags of the guest', 'run -it web top -it', 'run web -- top -it'],
  ['no command of envs try', 'try -it debian -- top -it', 'try debian -- top -it'],
] as const) {
  test(`separates ${what}: ${typed}`, () => {
    assert.deepEqual(separateGuestCommand(typed.split(' ')), separated.split(' '))
  })
}

for (const [what, typed] of [
  ['another command', 'rm web ls'],
  ['NAME after the separator', 'run -- web ls'],
  ['no NAME', 'run'],
  ['only options', 'run --help'],
  ['an option that lacks its value', 'run -u'],
] as const) {
  test(`leaves ${what} alone: ${typed}`, () => {
    assert.deepEqual(separateGuestCommand(typed.split(' ')), typed.split(' '))
  })
}

for (const [name, {type, char}] of Object.entries<{type: string; char?: string}>(Run.flags)) {
  if (type !== 'option') continue
  for (const typed of [`--${name}`, ...(char === undefined ? [] : [`-${char}`])]) {
    test(`takes the word after ${typed} as its value, for envs run declares it so`, () => {
      assert.deepEqual(separateGuestCommand(['run', typed, 'value', 'web', 'id']), [
        ...['run', typed, 'value', 'web', '--', 'id'],
      ])
    })
  }
}

test('leaves an empty command line alone', () => {
  assert.deepEqual(separateGuestCommand([]), [])
})

test('keeps an empty argument of the guest', () => {
  assert.deepEqual(separateGuestCommand(['run', 'web', 'echo', '']), ['run', 'web', '--', 'echo', ''])
})

test('does not change the list it is given', () => {
  const typed = ['run', 'web', 'ls']
  separateGuestCommand(typed)
  assert.deepEqual(typed, ['run', 'web', 'ls'])
})

test('splits at the first separator, and keeps order, repeats and later separators', () => {
  assert.deepEqual(splitAtSeparator(['web', '-q', '--', 'a', 'b', 'a', '--', 'b']), {
    own: ['web', '-q'],
    guest: ['a', 'b', 'a', '--', 'b'],
  })
})

test('takes everything as its own without a separator', () => {
  assert.deepEqual(splitAtSeparator(['web', '-q']), {own: ['web', '-q'], guest: []})
})
