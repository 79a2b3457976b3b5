import assert from 'node:assert/strict'
import {test} from 'node:test'
import {Flags, Parser} from '@oclif/core'
import Enter from '../../../commands/enter.js'
import List from '../../../commands/list.js'
import Run from '../../../commands/run.js'
import {parseQuickLine} from '../../../src/cli/quick-line.js'
import {readSessionLine} from '../../../src/cli/session-line.js'
import {QUICK_FLAGS} from '../../../src/cli/views/list.js'
import {sessionFields} from '../../../src/sandbox/session-options.js'

type Declared = Parameters<typeof Parser.parse>[1]

/** What the library makes of a line; undefined for a mistake. */
async function byLibrary(argv: readonly string[], {args, flags, baseFlags}: Declared) {
  const json = {json: Flags.boolean()}
  try {
    return await Parser.parse([...argv], {args: args ?? {}, flags: {...json, ...baseFlags, ...flags}})
  } catch {
    return undefined
  }
}

const WORDS = [
  ...['play', 'web', '', '-', '-q', '-a', '-aq', '--all', '--json', '--quiet', '--quiet=yes', '--nope', '-5'],
  ...[
    '-e',
    '--env',
    '-eA=b',
    '-e=A',
    '--env=A=b',
    '--env=',
    'A',
    '-u',
    '--user',
    '-ume',
    '--user=me',
    '-w',
    '/x',
  ],
  ...['-v', '--volume=./x:/x:ro', '--workdir=/', '--help', '--us'],
]

/** The same lines each time: a small generator of numbers. @see Lehmer */
function* lines(seed: number): Generator<string[]> {
  let state = seed
  const next = (below: number) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  for (let count = 0; count < 4000; count++)
    yield Array.from({length: next(6)}, () => WORDS[next(WORDS.length)] ?? '')
}

test('a line of envs list that is read without the library is read as by the library', async () => {
  let read = 0
  for (const argv of lines(20)) {
    const quick = parseQuickLine(argv, QUICK_FLAGS)
    if (quick === undefined || quick.words.length > 0) continue
    read++
    assert.deepEqual(quick.flags, {...(await byLibrary(argv, List))?.flags}, JSON.stringify(argv))
  }
  assert.ok(read > 100, `${read} lines were read`)
})

for (const [verb, command, guest] of [
  ['run', Run, ['--', 'ls', '--json']],
  ['enter', Enter, []],
] as const) {
  test(`a line of envs ${verb} that is read without the library is read as by the library`, async () => {
    let read = 0
    for (const argv of lines(21)) {
      const session = readSessionLine([verb, ...argv, ...guest])
      // What follows NAME of envs run is the guest's.
      if (session === undefined || session.command.length + 1 !== Math.max(1, guest.length)) continue
      read++
      const {args, flags} = (await byLibrary(argv, command)) ?? assert.fail(JSON.stringify(argv))
      assert.deepEqual(
        {name: session.name, fields: session.fields},
        {name: args['name'], fields: sessionFields(flags)},
        JSON.stringify(argv),
      )
    }
    assert.ok(read > 30, `${read} lines were read`)
  })
}

for (const [what, ...argv] of [
  ['a flag that is not declared', '--nope'],
  ['the beginning of a flag', '--al'],
  ['a value where none belongs', '--all=yes'],
  ['a separator', '--', 'x'],
] as const) {
  test(`leaves ${what} to the library`, () => {
    assert.equal(parseQuickLine(argv, QUICK_FLAGS), undefined)
  })
}

test('leaves a flag that is given twice to the library, unless it may be', () => {
  const flags = {one: {type: 'string'}, many: {type: 'string', multiple: true}} as const
  assert.equal(parseQuickLine(['--one', 'a', '--one', 'b'], flags), undefined)
  assert.deepEqual(parseQuickLine(['--many', 'a', '--many', 'b'], flags)?.flags, {many: ['a', 'b']})
})
