import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  argumentHabits,
  flagHabits,
  leadingHabit,
  verbHabits,
  wordHabit,
} from '../../../src/cli/habits/find.js'
import {habitTable} from '../../../src/cli/habits/table.js'
import {declaredCommands} from '../../support/commands.js'

/** Each key of the table with its next steps. */
function allSteps(): (readonly [string, readonly string[]])[] {
  const {words, leading, flags, commonFlags, arguments: order, verbs} = habitTable()
  const tables = {words, leading, '': commonFlags, order, ...flags}
  return [
    ...Object.entries(tables).flatMap(([id, table]) =>
      Object.entries(table).map(([key, steps]) => [`${id} ${key}`, [steps].flat()] as const),
    ),
    ...Object.entries(verbs).map(([id, {steps}]) => [id, [steps].flat()] as const),
  ]
}

test('each command in a next step exists, and has the flags there', async () => {
  const commands = await declaredCommands()
  const named = allSteps().flatMap(([typed, steps]) =>
    steps.flatMap((step) =>
      [...step.matchAll(/\benvs ([^,.:]+)/g)].map(([, line = '']) => [typed, line] as const),
    ),
  )
  assert.ok(named.length > 100)
  for (const [typed, line] of named) {
    if (line === '--version' || line === '--help') continue
    const [first = '', second = ''] = line.split(' ')
    const command = commands.get(`${first} ${second}`) ?? commands.get(first)
    assert.ok(command !== undefined, `${typed}: ${line}`)
    const own = line.replace(/ -- .*$/, '').replace(/^run .*\bNAME .*$/, '')
    for (const [, flag = ''] of own.matchAll(/ --([a-z-]+)/g))
      assert.ok(flag in {...command.flags, ...command.baseFlags} || flag === 'json', `${typed}: --${flag}`)
  }
})

test('a word of no tool has none', () => {
  for (const word of ['confg', 'toString', '__proto__']) {
    assert.deepEqual(wordHabit(word), [])
    assert.deepEqual(wordHabit(word, word), [])
    assert.deepEqual(leadingHabit(word), [])
    assert.deepEqual(flagHabits(word, [word]), [])
    assert.deepEqual(argumentHabits(word, [word]), [])
    assert.deepEqual(verbHabits(word, [word]), [])
  }
  assert.deepEqual(verbHabits('snapshot', ['play', 'label']), [])
  assert.deepEqual(verbHabits('restore', ['play']), [])
})
