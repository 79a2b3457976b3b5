import assert from 'node:assert/strict'
import {test} from 'node:test'
import {Args, Flags, Parser} from '@oclif/core'
import {explainLine} from '../../../src/cli/parse.js'
import {UsageError} from '../../../src/errors.js'

const DECLARATIONS = {
  args: {name: Args.string({description: 'name of it', ignoreStdin: true, required: true})},
  flags: {
    age: Flags.integer({min: 1, max: 9}),
    env: Flags.string({multiple: true, multipleNonGreedy: true}),
    kind: Flags.option({options: ['gz', 'xz'] as const})(),
  },
  strict: true,
}

/** What the command says of a line that the library refuses. */
async function parse(argv: readonly string[], id: string, declarations = DECLARATIONS): Promise<unknown> {
  try {
    return await Parser.parse([...argv], declarations)
  } catch (error) {
    throw explainLine(error, {argv, flags: declarations.flags, id})
  }
}

for (const [message, ...argv] of [
  ['Missing: name of it.', '--env', 'A'],
  ['Unexpected argument: web', 'play', 'web'],
  ['Nonexistent flag: --nope', 'play', '--nope'],
  ['Expected --kind=zip to be one of: gz, xz', 'play', '--kind', 'zip'],
  ['Parsing --age Expected an integer but received: old', 'play', '--age', 'old'],
  ['Parsing --age Expected an integer less than or equal to 9 but received: 10', 'play', '--age', '10'],
  ['Parsing --age Expected an integer greater than or equal to 1 but received: 0', 'play', '--age', '0'],
  ['Flag --age expects a value', 'play', '--age'],
] as const) {
  test(`says: ${message}`, async () => {
    await assert.rejects(parse(argv, 'config:set'), (error) => {
      assert.ok(error instanceof UsageError)
      assert.deepEqual(
        {message: error.message, exitCode: error.exitCode, suggestions: error.suggestions},
        {message, exitCode: 2, suggestions: ['envs config set --help']},
      )
      return true
    })
  })
}

for (const [meant, ...argv] of [
  ['Did you mean --kind?', 'play', '--knid', 'gz'],
  ['Did you mean --kind?', 'play', '--kin=gz'],
  ['Did you mean --kind gz?', 'play', '--kind', 'gzz'],
  ['Did you mean --kind xz?', 'play', '--kind=xx'],
] as const) {
  test(`asks: ${meant}, for ${argv.slice(1).join(' ')}`, async () => {
    await assert.rejects(parse(argv, 'config:set'), (error) => {
      assert.ok(error instanceof UsageError)
      assert.deepEqual(error.suggestions, [meant, 'envs config set --help'])
      return true
    })
  })
}

test('tells the values of an argument that is missing, and all that are', async () => {
  const args = {
    ...DECLARATIONS.args,
    shell: Args.string({
      description: 'which shell',
      ignoreStdin: true,
      options: ['bash', 'zsh'],
      required: true,
    }),
  }
  await assert.rejects(parse([], 'completion', {...DECLARATIONS, args}), {
    message: 'Missing: name of it; which shell (bash, zsh).',
  })
})
