import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {test} from 'node:test'
import {sandboxedCli} from '../support/cli.js'
import {declaredCommands} from '../support/commands.js'

for (const argv of [[], ['--help'], ['-h'], ['help']]) {
  test(`"envs ${argv.join(' ')}" shows what there is`, async (t) => {
    const cli = await sandboxedCli(t)
    const {status, stdout, stderr} = await cli.run(...argv)
    assert.equal(status, 0)
    assert.equal(stderr, '')
    assert.match(stdout, /^Ubuntu and Debian environments in which you are root, without sudo\.\n/)
    assert.match(stdout, /\n {2}config +Read and change settings\.\n/)
  })
}

for (const argv of [
  ['config', 'get', '--help'],
  ['config', 'get', '-h'],
  ['config', '--help', 'get'],
  ['help', 'config', 'get'],
  ['config', 'get', 'engine', '--help'],
]) {
  test(`"envs ${argv.join(' ')}" shows how to use config get`, async (t) => {
    const cli = await sandboxedCli(t)
    const {status, stdout} = await cli.run(...argv)
    assert.equal(status, 0)
    assert.match(stdout, /\n {2}\$ envs config get SETTING /)
  })
}

test('help of all commands has their other names too', async (t) => {
  const cli = await sandboxedCli(t)
  const {stdout} = await cli.run('--help')
  const lines = stdout.replaceAll(/\n {3,}/g, ' ')
  assert.match(lines, /^ {2}list +\S.* \(also: ls\)$/m)
  assert.match(lines, /^ {2}enter +\S.* \(also: login, sh\)$/m)
  assert.match(lines, /^ {2}rm +\S.* \(also: remove, delete\)$/m)
  assert.match((await cli.run('image')).stdout, /^ {2}image list +\S.* \(also: images, image ls\)$/m)
})

test('a group alone shows its commands', async (t) => {
  const cli = await sandboxedCli(t)
  const {status, stdout} = await cli.run('config')
  assert.equal(status, 0)
  assert.deepEqual(stdout.match(/^ {2}config \w+/gm), [
    '  config get',
    '  config list',
    '  config set',
    '  config unset',
  ])
})

test('help on a command that does not exist is the same failure as running it', async (t) => {
  const cli = await sandboxedCli(t)
  assert.deepEqual(await cli.run('help', 'confg'), await cli.run('confg'))
})

test('--version names program, version, machine and Node', async (t) => {
  const cli = await sandboxedCli(t)
  const pjson: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  assert.ok(typeof pjson === 'object' && pjson !== null && 'version' in pjson)
  const {stdout} = await cli.run('--version')
  assert.equal(stdout, `envs/${pjson.version} linux-${process.arch} node-${process.version}\n`)
})

test('every command that is shown has a summary and two examples', async () => {
  const incomplete = [...(await declaredCommands())]
    .filter(([, {hidden, summary, examples}]) => !hidden && (!summary || examples.length < 2))
    .map(([name]) => name)
  assert.deepEqual(incomplete, [])
})

test('no command reads a missing argument from standard input', async () => {
  const reading = [...(await declaredCommands())]
    .filter(([, {args}]) => Object.values(args).some(({ignoreStdin}) => ignoreStdin !== true))
    .map(([name]) => name)
  assert.deepEqual(reading, [])
})

test('an alias is in the help of its command, and not in the list of commands', async (t) => {
  const cli = await sandboxedCli(t)
  const {stdout: list} = await cli.run('--help')
  const aliases = [...(await declaredCommands())].flatMap(([name, each]) =>
    each.aliases.map((alias) => ({name: name.replaceAll(':', ' '), alias: alias.replaceAll(':', ' ')})),
  )
  assert.ok(aliases.length > 10)
  for (const {alias} of aliases) assert.doesNotMatch(list, new RegExp(`^ {2}${alias} `, 'm'))
  for (const name of ['run', 'rm', 'image list']) {
    const {stdout} = await cli.run(...name.split(' '), '--help')
    for (const {alias} of aliases.filter((each) => each.name === name))
      assert.ok(stdout.includes(`  $ envs ${alias}\n`), `${name}: ${alias}`)
  }
})
