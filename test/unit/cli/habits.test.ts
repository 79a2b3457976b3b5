import assert from 'node:assert/strict'
import {readdirSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {argumentHabits, flagHabits, leadingHabit, wordHabit} from '../../../src/cli/habits.js'
import {packageRoot} from '../../../src/host/paths.js'

const COMMANDS = readdirSync(join(packageRoot(), 'commands'), {recursive: true})
  .map(String)
  .flatMap((path) => (path.endsWith('.ts') ? [path.slice(0, -3).replace('/', ' ')] : []))

/** Of words, options before the command, and flags by command: their next steps. */
const GIVEN: readonly (readonly [string, readonly string[]])[] = [
  ...'add assemble attach backup build clear-cache commit destroy generate-entry host-exec kill load mount network'
    .split(' ')
    .map((word) => [word, wordHabit(word)] as const),
  ...'logout pause port pull rmi save ssh stats status system tag top update upgrade volume'
    .split(' ')
    .map((word) => [word, wordHabit(word)] as const),
  ...'--list -l --install -d --distribution --export --import --shutdown --terminate -t --unregister -u --user'
    .split(' ')
    .map((word) => [word, leadingHabit(word)] as const),
  ...[
    'run -it',
    'run --rm',
    'run -p',
    'run --network=host',
    'run --name',
    'run --bind',
    'enter -n',
    'enter -c',
    'enter --',
    'create --image',
    'create -d',
    'create --clone',
    'create --home',
    'create --additional-packages',
    'create --init',
    'create --root',
    'export --bin',
    'list -c',
    'ps --all',
  ].map((line) => {
    const [id = '', flag = ''] = line.split(' ')
    return [line, flagHabits(id, ['x', flag])] as const
  }),
  ['restore a.tar.gz', argumentHabits('restore', ['a.tar.gz'])],
  ['snapshots rm', argumentHabits('snapshots', ['rm', 'play'])],
]

test('each word of another tool has a next step, and each command in it exists', () => {
  for (const [typed, steps] of GIVEN) {
    assert.notEqual(steps.length, 0, typed)
    for (const step of steps) {
      const named = /(?:^|: )envs ([a-z]+(?: (?:rm|pull|list|search))?)/.exec(step)?.[1]
      assert.ok(named === undefined || COMMANDS.includes(named), `${typed}: ${step}`)
    }
  }
})

test('a next step removes or stops something only where the word says so', () => {
  const dangerous = GIVEN.filter(([, steps]) =>
    steps.some((step) => /envs (?:image )?(?:rm|stop|prune|undo|reset|restore)\b|--remove/.test(step)),
  )
  assert.deepEqual(dangerous.map(([typed]) => typed).sort(), [
    ...['--shutdown', '--terminate', '--unregister', '-t', 'clear-cache', 'destroy', 'rmi', 'snapshots rm'],
    'system',
  ])
})

test('a word of no tool has none', () => {
  for (const word of ['confg', 'toString', '__proto__']) {
    assert.deepEqual(wordHabit(word), [])
    assert.deepEqual(leadingHabit(word), [])
    assert.deepEqual(flagHabits(word, [word]), [])
  }
  assert.deepEqual(argumentHabits('snapshot', ['play', 'label']), [])
  assert.deepEqual(argumentHabits('restore', ['play']), [])
})
