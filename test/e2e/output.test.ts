import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {test} from 'node:test'
import {capture} from '../../src/host/process.js'
import {FRONT_DOOR, sandboxedCli} from '../support/cli.js'
import {environmentCli} from '../support/environment-cli.js'
import {runInTerminal} from '../support/terminal.js'
import {tinyRootfs} from '../support/tiny-rootfs.js'

const ENVS = `'${FRONT_DOOR}'`

for (const [what, command, status] of [
  ['standard output', `${ENVS} config list`, 0],
  ['standard error', `${ENVS} confg 2>&1 >/dev/null`, 2],
] as const) {
  test(`keeps its status and says nothing when the reader of ${what} has gone`, async (t) => {
    const cli = await sandboxedCli(t)
    // By then true(1) has ended, so that the first write meets a closed pipe.
    const script = `{ sleep 0.3; ${command}; echo $? >status; } | true; cat status`
    const run = await capture(['sh', '-c', script], {cwd: cli.home, env: {...cli.env}})
    assert.deepEqual(run, {status: 0, signal: null, stdout: `${status}\n`, stderr: ''})
  })
}

test('tells that the result could not be written', async (t) => {
  if (!existsSync('/dev/full')) return t.skip('/dev/full is missing')
  const cli = await sandboxedCli(t)
  for (const command of ['config list', 'config list --json', 'list --json', '--version', 'confg --json']) {
    const run = await capture(['sh', '-c', `${ENVS} ${command} >/dev/full`], {env: {...cli.env}})
    const [first] = run.stderr.split('\n')
    if (command === 'confg --json')
      assert.deepEqual([run.status, first], [2, 'envs: There is no command "confg".'])
    else {
      const told = 'envs: Could not write to standard output: no space left on device.'
      assert.deepEqual([run.status, first], [8, told], command)
    }
  }
})

test('keeps its status where standard error is full', async (t) => {
  if (!existsSync('/dev/full')) return t.skip('/dev/full is missing')
  const cli = await sandboxedCli(t)
  const run = await capture(['sh', '-c', `${ENVS} confg 2>/dev/full`], {env: {...cli.env}})
  assert.deepEqual(run, {status: 2, signal: null, stdout: '', stderr: ''})
})

test('writes all of it into a pipe that has no room and does not wait', async (t) => {
  const cli = await sandboxedCli(t)
  const whole = await cli.run('completion', 'bash')
  const [O_NONBLOCK, F_SETFL, F_SETPIPE_SZ] = [0o4000, 4, 1031]
  const script = `
pipe(my $reader, my $writer) or die;
fcntl($writer, ${F_SETPIPE_SZ}, 4096) or die $!;
fcntl($writer, ${F_SETFL}, ${O_NONBLOCK}) or die $!;
syswrite($writer, 'x' x 4000) == 4000 or die;
if (fork() == 0) { open(STDOUT, '>&', $writer); close $reader; close $writer; exec @ARGV }
close $writer;
select(undef, undef, undef, 0.5);
sysread($reader, my $filler, 4000) == 4000 or die;
while (sysread($reader, my $bytes, 100)) { print $bytes }
wait; exit $? >> 8`
  const argv = ['perl', '-e', script, '--', FRONT_DOOR, 'completion', 'bash']
  const run = await capture(argv, {env: {...cli.env}})
  assert.deepEqual(run, {status: 0, signal: null, stdout: whole.stdout, stderr: ''})
})

test('makes no file and no folder for a command that only reads', async (t) => {
  const cli = await sandboxedCli(t)
  await cli.run('config', 'list')
  await cli.run('--help')
  assert.equal(existsSync(cli.data), false)
  assert.equal(existsSync(cli.configFile), false)
})

test('a terminal that does not know its width gets whole tables, and stages line by line', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const {status, screen} = await runInTerminal(
    `stty cols 0 rows 0; ${ENVS} create ${path} --name play && ${ENVS} list`,
    {env: {...cli.env}},
  )
  assert.equal(status, 0, screen)
  assert.ok(screen.includes('❯ Unpack\r\n'), screen)
  assert.match(screen, /\nNAME +STATE +SIZE .* IMAGE\r\nplay +stopped +/)
})

test('create --timings prints the phases at the end, on standard error', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const {status, stdout, stderr} = await cli.run('create', path, '--timings', '--json')
  assert.equal(status, 0, stderr)
  assert.equal(JSON.parse(stdout).name, 'tiny')
  const rows = stderr.trimEnd().split('\n').slice(-4)
  assert.deepEqual(
    rows.map((row) => row.split(/ {2,}/)[0]),
    ['PHASE', 'Unpack', 'Set up', 'Total'],
  )
  for (const row of rows.slice(1)) assert.match(row, / \d+(?:\.\d)? s /)
})
