import assert from 'node:assert/strict'
import {test} from 'node:test'
import Enter from '../../../commands/enter.js'
import Run from '../../../commands/run.js'
import {readSessionLine} from '../../../src/cli/session-line.js'

const NONE = {user: undefined, workingFolder: undefined, variables: [], volumes: []}

for (const [what, argv, expected] of [
  ['a command', ['run', 'play', 'ls'], {name: 'play', command: ['ls'], fields: NONE}],
  ['a command after a separator', ['run', 'play', '--', 'ls'], {name: 'play', command: ['ls'], fields: NONE}],
  [
    'a second separator as the guest’s',
    ['run', 'play', '--', '--', 'x'],
    {name: 'play', command: ['--', 'x'], fields: NONE},
  ],
  [
    'flags after the name as the guest’s',
    ['run', 'play', 'ls', '--json'],
    {name: 'play', command: ['ls', '--json'], fields: NONE},
  ],
  [
    'flags before the name',
    ['run', '-u', 'me', '--env', 'A=b', '-eC', '--volume=/x', '-w', '/y', 'play', 'ls'],
    {
      ...{name: 'play', command: ['ls']},
      fields: {user: 'me', workingFolder: '/y', variables: ['A=b', 'C'], volumes: ['/x']},
    },
  ],
  [
    'flags of podman for the terminal',
    ['exec', '-it', '--tty', '-u', 'me', '-i', '--rm=false', 'play', 'ls', '-it'],
    {name: 'play', command: ['ls', '-it'], fields: {...NONE, user: 'me'}},
  ],
  [
    'flags of podman for the terminal of a shell',
    ['enter', '-it', 'play', '--interactive=true'],
    {name: 'play', command: [], fields: NONE},
  ],
  ['a login shell', ['enter', 'play'], {name: 'play', command: [], fields: NONE}],
  [
    'a flag after the name of a shell',
    ['enter', 'play', '--user', 'x'],
    {name: 'play', command: [], fields: {...NONE, user: 'x'}},
  ],
  ['a shell of the only environment', ['enter'], {name: undefined, command: [], fields: NONE}],
] as const) {
  test(`takes ${what}`, () => {
    assert.deepEqual(readSessionLine(argv), expected)
  })
}

for (const [what, argv] of [
  ['a run without a command', ['run', 'play']],
  ['a run with nothing after the separator', ['run', 'play', '--']],
  ['a run without a name', ['run', '--', 'ls']],
  ['two names', ['enter', 'play', 'web']],
  ['a flag of all commands', ['run', '--json', 'play', 'ls']],
  ['a flag without its value', ['enter', 'play', '--user']],
  ['help', ['run', '--help']],
  ['another command', ['list', 'x']],
  ['nothing', []],
] as const) {
  test(`leaves ${what} to the command library`, () => {
    assert.equal(readSessionLine(argv), undefined)
  })
}

test('knows both commands by all their names', () => {
  for (const verb of ['run', ...(Run.aliases ?? [])]) {
    assert.notEqual(readSessionLine([verb, 'play', 'ls']), undefined, verb)
  }
  for (const verb of ['enter', ...(Enter.aliases ?? [])]) {
    assert.notEqual(readSessionLine([verb, 'play']), undefined, verb)
  }
})
