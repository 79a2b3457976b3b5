import assert from 'node:assert/strict'
import {test} from 'node:test'
import {lineDeclarations} from '../../../src/ui/declared-command.js'
import {Args, Flags} from '../../../src/ui/definitions.js'
import {parseByLibrary} from '../../../src/ui/library-line.js'
import {type LineDeclarations, parsePlainLine} from '../../../src/ui/plain-line.js'
import {declaredCommands} from '../../support/commands.js'

type Subject = {readonly name: string; readonly declarations: LineDeclarations}

async function subjects(): Promise<Subject[]> {
  return [...(await declaredCommands())].map(([name, command]) => ({
    name,
    declarations: lineDeclarations(command),
  }))
}

/** What the library makes of a line; undefined for a mistake. */
async function byLibrary(argv: readonly string[], declarations: LineDeclarations) {
  try {
    const {args, argv: words, flags} = await parseByLibrary(argv, declarations, 'test')
    return {args: {...args}, argv: [...words], flags: {...flags}}
  } catch {
    return undefined
  }
}

/** Whatever is parsed without the library is what the library makes of it. @returns Whether it was. */
async function compare(argv: readonly string[], {name, declarations}: Subject): Promise<boolean> {
  const plain = await parsePlainLine(argv, declarations, process.env)
  const line = `${name}: ${JSON.stringify(argv)}`
  if (plain !== undefined) assert.deepEqual(plain, await byLibrary(argv, declarations), line)
  return plain !== undefined
}

/** Words as they are typed, each flag of the command in every form, and what may be mistaken for one. */
function wordsFor({flags}: LineDeclarations): string[] {
  const forms = Object.entries(flags).flatMap(([name, {type, char, options}]) => {
    const [value = 'value'] = Array.isArray(options) ? options : []
    const short = typeof char === 'string' ? [`-${char}`, `-${char}${value}`, `-${char}=${value}`] : []
    const long = type === 'option' ? [`--${name}=${value}`, `--${name}=`, `--${name}=--x`] : [`--${name}=yes`]
    return [`--${name}`, value, ...short, ...long]
  })
  return [
    ...new Set([...forms, 'play', 'web', '', '-', '--', '-q', '-qy', '--nope', '-5', '3', 'a=b', '--json']),
  ]
}

/** The same lines each time: a small generator of numbers. @see Lehmer */
function chooser(seed: number) {
  let state = seed
  return <Item>(items: readonly Item[]): Item => {
    state = (state * 48_271) % 2_147_483_647
    const item = items[state % items.length]
    assert.ok(item !== undefined)
    return item
  }
}

test('what is parsed without the library is what the library makes of it, for every command', async () => {
  const choose = chooser(20)
  let plain = 0
  for (const subject of await subjects()) {
    const words = wordsFor(subject.declarations)
    for (let count = 0; count < 150; count++) {
      const argv = Array.from({length: choose([0, 1, 1, 2, 2, 3, 4, 5])}, () => choose(words))
      if (await compare(argv, subject)) plain++
    }
  }
  assert.ok(plain > 500, `${plain} lines were plain`)
})

for (const [command, ...argv] of [
  ['list'],
  ['list', '--json'],
  ['list', '-aq'],
  ['show', 'play'],
  ['create', './rootfs.tar.gz', '--name', 'play', '--quiet', '--storage', 'overlay'],
  ['create', 'focal', '-n', 'play', '--identity=mapped'],
  ['rm', '--force', 'play', 'web', '-y'],
  ['run', '-e', 'A=b', '--env', 'C', '--volume=./x:/x:ro', 'play'],
  ['diff', 'play', 'before', '--files'],
  ['restore', 'play', 'before'],
] as const) {
  test(`the library is not needed for ${command} ${argv.join(' ')}`, async () => {
    const subject = (await subjects()).find(({name}) => name === command)
    assert.ok(subject !== undefined)
    assert.equal(await compare(argv, subject), true)
  })
}

test('variables stand for flags as the library has it', async () => {
  const declarations = {args: {}, flags: {yes: Flags.boolean({env: 'ENVS_TEST_LINE'})}, strict: true}
  for (const value of ['1', 'true', 'Yes', 'y', '0', 'no', 'other', '']) {
    process.env['ENVS_TEST_LINE'] = value
    assert.equal(await compare([], {name: value, declarations}), true)
  }
  delete process.env['ENVS_TEST_LINE']
})

for (const [what, flags] of [
  ['excludes another', {a: Flags.boolean({exclusive: ['b']}), b: Flags.boolean()}],
  ['is required', {a: Flags.string({required: true})}],
  ['takes all that follows', {a: Flags.string({multiple: true})}],
  ['can be turned off', {a: Flags.boolean({allowNo: true})}],
] as const) {
  test(`a flag that ${what} is left to the library`, async () => {
    const declarations = {args: {word: Args.string({ignoreStdin: true})}, flags: {...flags}, strict: true}
    assert.equal(await parsePlainLine([], declarations, {}), undefined)
  })
}
