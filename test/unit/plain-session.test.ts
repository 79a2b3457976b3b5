import assert from 'node:assert/strict'
import {test} from 'node:test'
import Enter from '../../commands/enter.js'
import Run from '../../commands/run.js'
import {readPlainSession} from '../../src/plain-session.js'

for (const [what, argv, expected] of [
  ['a command', ['run', 'play', 'ls'], {name: 'play', command: ['ls']}],
  ['a command after a separator', ['run', 'play', '--', 'ls'], {name: 'play', command: ['ls']}],
  [
    'a second separator as the guest’s',
    ['run', 'play', '--', '--', 'x'],
    {name: 'play', command: ['--', 'x']},
  ],
  [
    'flags after the name as the guest’s',
    ['run', 'play', 'ls', '--json'],
    {name: 'play', command: ['ls', '--json']},
  ],
  ['a login shell', ['enter', 'play'], {name: 'play', command: []}],
] as const) {
  test(`takes ${what}`, () => {
    assert.deepEqual(readPlainSession(argv), expected)
  })
}

for (const [what, argv] of [
  ['a flag before the name', ['run', '--user', 'x', 'play', 'ls']],
  ['a flag after the name of a shell', ['enter', 'play', '--user', 'x']],
  ['a run without a command', ['run', 'play']],
  ['a run with nothing after the separator', ['run', 'play', '--']],
  ['a shell without a name', ['enter']],
  ['help', ['run', '--help']],
  ['another command', ['list', 'x']],
  ['nothing', []],
] as const) {
  test(`leaves ${what} to the parser`, () => {
    assert.equal(readPlainSession(argv), undefined)
  })
}

test('knows both commands by all their names', () => {
  for (const verb of ['run', ...(Run.hiddenAliases ?? [])]) {
    assert.notEqual(readPlainSession([verb, 'play', 'ls']), undefined, verb)
  }
  for (const verb of ['enter', ...(Enter.hiddenAliases ?? [])]) {
    assert.notEqual(readPlainSession([verb, 'play']), undefined, verb)
  }
})
