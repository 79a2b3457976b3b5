import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {packageVersion} from '../../src/host/paths.js'
import {type EnvironmentCli, environmentCli} from '../support/environment-cli.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'
import {runInTerminal} from '../support/terminal.js'

/** What a user starts, in the smallest environment that can be entered: whether each part is there and fits the next. */
async function givenPlay(t: TestContext): Promise<EnvironmentCli> {
  const cli = await environmentCli(t)
  await succeed(cli, 'create', await runnableRootfs(cli.home), '--name', 'play', '--quiet')
  return cli
}

/** @returns What it wrote to standard output. */
async function succeed(cli: EnvironmentCli, ...argv: string[]): Promise<string> {
  const {status, stdout, stderr} = await cli.run(...argv)
  assert.equal(status, 0, stderr)
  return stdout
}

test('it tells its version and its commands', async (t) => {
  const cli = await environmentCli(t)
  assert.match(await succeed(cli, '--version'), new RegExp(`^envs/${packageVersion()} `))
  assert.match(await succeed(cli, '--help'), /^ {2}create {2,}\S/m)
})

test('a command that it does not have is told in words and in JSON', async (t) => {
  const cli = await environmentCli(t)
  const told = await cli.run('creat')
  assert.deepEqual([told.status, told.stdout], [2, ''])
  const {status, stdout, stderr} = await cli.run('creat', '--json')
  assert.deepEqual([status, JSON.parse(stdout).error.code, stderr], [2, 'ENVS_UNKNOWN_COMMAND', ''])
})

test('flags of Node are those of the guest, or mistakes of the line', async (t) => {
  const cli = await environmentCli(t)
  const flag = `--env-file=${join(cli.home, 'missing')}`
  const told = await cli.run('run', 'play', '--', 'program', flag)
  assert.deepEqual([told.status, told.stderr.split('\n')[0]], [125, 'envs: There is no environment "play".'])
  assert.equal((await cli.run('list', flag)).status, 2)
})

test('a setting is kept', async (t) => {
  const cli = await environmentCli(t)
  await succeed(cli, 'config', 'set', 'diskBudget', '5GB')
  assert.equal(await succeed(cli, 'config', 'get', 'diskBudget'), '5GB\n')
})

test('doctor examines this host', async (t) => {
  const cli = await environmentCli(t)
  const {checks} = JSON.parse((await cli.run('doctor', '--json')).stdout)
  assert.equal(checks.find(({id}: {id: string}) => id === 'node').status, 'pass')
})

test('an environment that was created is listed', async (t) => {
  const cli = await givenPlay(t)
  const [{name, state}] = JSON.parse(await succeed(cli, 'list', '--json'))
  assert.deepEqual([name, state], ['play', 'stopped'])
})

test('a command in it gets the input, and gives its output, its errors and its status', async (t) => {
  const cli = await givenPlay(t)
  const script = 'read -r line; echo "out $line"; echo err >&2; exit 3'
  assert.deepEqual(await cli.runWith({input: 'in\n'}, 'run', 'play', 'sh', '-c', script), {
    status: 3,
    signal: null,
    stdout: 'out in\n',
    stderr: 'err\n',
  })
})

test('a session on a terminal has one of its own', async (t) => {
  const cli = await givenPlay(t)
  const [program] = cli.words
  const {status, screen} = await runInTerminal(
    `${program} run play sh -c 'test -t 0 && echo ready && read -r line; exit $line'`,
    {env: cli.env, typed: [{after: 'ready', send: '7\r'}]},
  )
  assert.equal(status, 7, screen)
})

test('an environment that is not there ends a session with 125', async (t) => {
  const cli = await environmentCli(t)
  const {status, stderr} = await cli.run('run', 'play', 'true')
  assert.equal(status, 125)
  assert.match(stderr, /^envs: .*play/)
})

test('a clone has what the first one had, and goes its own way', async (t) => {
  const cli = await givenPlay(t)
  await succeed(cli, 'run', 'play', 'sh', '-c', 'echo kept >/root/file')
  await succeed(cli, 'clone', 'play', 'copy')
  await succeed(cli, 'run', 'play', 'sh', '-c', 'echo changed >/root/file')
  assert.equal(
    await succeed(cli, 'run', 'copy', 'sh', '-c', 'read -r line </root/file; echo "$line"'),
    'kept\n',
  )
})

test('an export is imported', async (t) => {
  const cli = await givenPlay(t)
  await succeed(cli, 'run', 'play', 'sh', '-c', 'echo carried >/root/file')
  const file = join(cli.home, 'play.tar.gz')
  await succeed(cli, 'export', 'play', '--output', file)
  await succeed(cli, 'import', file, '--name', 'other')
  assert.equal(
    await succeed(cli, 'run', 'other', 'sh', '-c', 'read -r line </root/file; echo "$line"'),
    'carried\n',
  )
})

test('a try goes with its session', async (t) => {
  const cli = await environmentCli(t)
  const tried = await succeed(cli, 'try', await runnableRootfs(cli.home), '--', 'sh', '-c', 'echo tried')
  assert.equal(tried, 'tried\n')
  assert.deepEqual(JSON.parse(await succeed(cli, 'list', '--json')), [])
})

test('a rename and a removal leave nothing of the old name', async (t) => {
  const cli = await givenPlay(t)
  await succeed(cli, 'rename', 'play', 'other')
  assert.deepEqual(await cli.storeEntries(), ['other'])
  await succeed(cli, 'rm', '--force', 'other')
  assert.deepEqual(await cli.storeEntries(), [])
})

test('a share reads and writes what the caller may', async (t) => {
  const cli = await givenPlay(t)
  const shared = join(cli.home, 'shared')
  await writeFile(join(cli.home, 'word'), 'host\n')
  await succeed(
    cli,
    'run',
    '--volume',
    `${cli.home}:/mnt:rw`,
    'play',
    'sh',
    '-c',
    'read -r w </mnt/word; echo "$w!" >/mnt/shared',
  )
  assert.equal(await readFile(shared, 'utf8'), 'host!\n')
})
