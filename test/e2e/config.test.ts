import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {test} from 'node:test'
import {sandboxedCli} from '../support/cli.js'

test('config set is silent, and config get prints what it kept', async (t) => {
  const cli = await sandboxedCli(t)
  assert.deepEqual(await cli.run('config', 'set', 'engine', 'bwrap'), {
    status: 0,
    signal: null,
    stdout: '',
    stderr: '',
  })
  assert.equal((await cli.run('config', 'get', 'engine')).stdout, 'bwrap\n')
})

test('config get prints an empty line for what nobody set', async (t) => {
  const cli = await sandboxedCli(t)
  assert.equal((await cli.run('config', 'get', 'defaultImage')).stdout, '\n')
})

test('config unset brings the built-in value back', async (t) => {
  const cli = await sandboxedCli(t)
  await cli.run('config', 'set', 'engine', 'bwrap')
  const {stdout} = await cli.run('config', 'unset', 'engine', '--json')
  assert.deepEqual(JSON.parse(stdout), {
    name: 'engine',
    value: 'auto',
    origin: 'built-in',
    variable: 'ENVS_ENGINE',
  })
})

test('config set warns when a variable goes before it', async (t) => {
  const cli = await sandboxedCli(t)
  const run = await cli.runWith({env: {ENVS_ENGINE: 'proot'}}, 'config', 'set', 'engine', 'bwrap', '--json')
  assert.deepEqual(JSON.parse(run.stdout), {
    name: 'engine',
    value: 'proot',
    origin: 'variable',
    variable: 'ENVS_ENGINE',
  })
  assert.equal(run.stderr, 'envs: warning: ENVS_ENGINE is set and takes precedence: proot is in force.\n')
})

test('config list has a line for each setting', async (t) => {
  const cli = await sandboxedCli(t)
  await cli.run('config', 'set', 'keyrings', 'https://a.example=/a.gpg:https://b.example=/b.gpg')
  const {stdout} = await cli.run('config', 'list')
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
  assert.equal(rows.length, 25)
  assert.deepEqual(rows[0], ['SETTING', 'VALUE', 'FROM', 'VARIABLE'])
  assert.deepEqual(rows[7], [
    'keyrings',
    'https://a.example=/a.gpg:https://b.example=/b.gpg',
    'file',
    'ENVS_KEYRINGS',
  ])
  assert.deepEqual(rows[8], ['defaultImage', '-', 'built-in', 'ENVS_IMAGE'])
})

test('config list --json keeps lists as lists and says null for what nobody set', async (t) => {
  const cli = await sandboxedCli(t)
  await cli.run('config', 'set', 'keyrings', 'https://a.example=/a.gpg:https://b.example=/b.gpg')
  const entries: unknown = JSON.parse((await cli.run('config', 'list', '--json')).stdout)
  assert.ok(Array.isArray(entries))
  assert.deepEqual(entries.slice(6, 8), [
    {
      name: 'keyrings',
      value: ['https://a.example=/a.gpg', 'https://b.example=/b.gpg'],
      origin: 'file',
      variable: 'ENVS_KEYRINGS',
    },
    {name: 'defaultImage', value: null, origin: 'built-in', variable: 'ENVS_IMAGE'},
  ])
})

test('a damaged settings file is named, with a way out', async (t) => {
  const cli = await sandboxedCli(t)
  await mkdir(dirname(cli.configFile), {recursive: true})
  await writeFile(cli.configFile, 'engine = bwrap')
  const run = await cli.run('config', 'list')
  assert.equal(run.status, 2)
  assert.equal(run.stdout, '')
  assert.equal(
    run.stderr,
    `envs: Could not read the settings in "${cli.configFile}": it is not JSON.\n` +
      `  Repair ${cli.configFile}, or move it away to start with the built-in settings.\n`,
  )
})

for (const HOME of ['', 'rel']) {
  test(`settings are not those of the folder one stands in where HOME is "${HOME}"`, async (t) => {
    const cli = await sandboxedCli(t)
    const folder = join(cli.home, HOME, '.config', 'envs')
    await mkdir(folder, {recursive: true})
    await writeFile(join(folder, 'config.json'), '{"diskBudget": "123M"}')
    const env = {HOME, XDG_CONFIG_HOME: '', XDG_DATA_HOME: ''}
    const ran = await cli.runWith({env}, 'config', 'get', 'diskBudget', '--json')
    assert.equal(ran.status, 0)
    assert.notEqual(JSON.parse(ran.stdout).value, '123M')
  })
}

test('a name in the file that is no setting is warned of', async (t) => {
  const cli = await sandboxedCli(t)
  await mkdir(dirname(cli.configFile), {recursive: true})
  await writeFile(cli.configFile, '{"identty": "auto"}')
  const run = await cli.run('config', 'get', 'identity')
  assert.deepEqual(
    [run.status, run.stdout, run.stderr],
    [
      0,
      'auto\n',
      `envs: warning: there is no setting "identty", which ${cli.configFile} sets. Did you mean identity?\n`,
    ],
  )
})

test('a umask that masks the bits of the owner does not keep envs from its own files', async (t) => {
  const cli = await sandboxedCli(t, ['sh', '-c', 'umask 0777; exec "$@"', 'sh'])
  const set = await cli.run('config', 'set', 'engine', 'bwrap')
  assert.deepEqual([set.status, set.stderr], [0, ''])
  assert.equal((await cli.run('config', 'get', 'engine')).stdout, 'bwrap\n')
})
