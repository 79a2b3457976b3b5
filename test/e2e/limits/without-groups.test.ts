import assert from 'node:assert/strict'
import {test} from 'node:test'
import {falseGroups} from '../../support/false-groups.js'
import {fileScope} from '../../support/file-scope.js'
import {type Guest, sharedGuest} from '../../support/guest.js'
import {waitUntil} from '../../support/wait-until.js'

const host = falseGroups(fileScope(), '')
const play = sharedGuest('emulated', {behind: async () => (await host).words})

/** The environment, stopped, with these limits alone. */
async function limited(...words: string[]): Promise<Guest & {readonly told: string}> {
  const guest = await play()
  await guest.cli.run('stop', 'play')
  const none = ['memory', 'cpus', 'processes', 'io-weight', 'disk', 'timeout'].map((name) => `${name}=none`)
  const set = await guest.cli.run('set', 'play', ...none, 'require-limits=no', ...words)
  assert.equal(set.status, 0, set.stderr)
  return {...guest, told: warnings(set.stderr)}
}

function warnings(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.startsWith('envs: '))
    .join('\n')
}

/** Forks until it may not, prints how often it could, and ends what it made. */
const BOMB = `my @children;
while (@children < 500) {
  my $child = fork() // last;
  if ($child == 0) { sleep 600; exit }
  push @children, $child;
}
print scalar @children;
kill KILL => @children;
1 while wait > 0;`

for (const [who, flags, command] of [
  ['root', [], ['perl', '-e', BOMB]],
  ['another user', ['--user', 'games'], ['perl', '-e', BOMB]],
  ['root of a nested user namespace', [], ['unshare', '--user', '--map-root-user', 'perl', '-e', BOMB]],
] as const)
  test(`processes: ${who} gets no more than the environment may have, and the environment goes on`, async () => {
    const {runWith, run} = await limited('processes=40')
    const {stdout, stderr} = await runWith({flags}, ...command)
    // A dozen processes of the environment itself, at most.
    assert.ok(Number(stdout) >= 25 && Number(stdout) < 40, `${stdout} ${stderr}`)
    assert.equal((await run('echo', 'alive')).stdout, 'alive\n')
  })

test('memory: each process of each session is limited, and it is told once, at the start', async () => {
  const {cli, run, sh, told} = await limited('memory=100M')
  const words =
    'envs: warning: This host does not enforce all limits of play for the whole environment: memory (100 MB for each process alone). See why: envs doctor'
  assert.equal(told, words)
  const first = await sh('ulimit -d')
  assert.deepEqual([first.stdout, warnings(first.stderr)], ['97656\n', words])
  const second = await sh('ulimit -d')
  assert.deepEqual([second.stdout, second.stderr], ['97656\n', ''])
  const large = await run('perl', '-e', '$x = "x" x 2e8')
  assert.match(large.stderr, /^Out of memory/)
  const detached = await cli.run('run', '--detach', '--name', 'limit', 'play', '--', 'sh', '-c', 'ulimit -d')
  assert.equal(detached.status, 0, detached.stderr)
  await waitUntil('the output of the program', async () =>
    (await cli.run('logs', 'play', '--unit', 'limit')).stdout.includes('97656'),
  )
})

test('cpus: the processes have a lower priority, and it is told', async () => {
  const {run, told} = await limited('cpus=0.5', 'io-weight=50')
  assert.match(told, /: cpus \(a lower priority only\), io-weight \(not at all\)\. See why/)
  assert.equal((await run('nice')).stdout, '10\n')
})

test('disk: no file is larger than the limit, and no session begins beyond it', async () => {
  const {run, sh, cli} = await limited('disk=4M')
  const large = await sh('head -c 5000000 /dev/zero >/srv/large; stat -c %s /srv/large; rm /srv/large')
  assert.equal(large.stdout, '4000000\n')
  const made = await sh('for name in 1 2 3; do head -c 1500000 /dev/zero >/srv/$name; done; sync')
  assert.equal(made.status, 0, made.stderr)
  const refused = await run('true')
  assert.equal(refused.status, 125)
  assert.match(
    refused.stderr,
    /^envs: The environment "play" is over its limit of disk: it has \d\.\d MB of 4\.0 MB\.\n/m,
  )
  // A running environment keeps the limits of its start.
  await cli.run('stop', 'play')
  await cli.run('set', 'play', 'disk=none')
  assert.equal((await sh('rm /srv/1 /srv/2 /srv/3')).status, 0)
})

test('timeout: a session of the front door is hung up, then killed, and ends with 124', async () => {
  const {sh, run} = await limited('timeout=1s')
  assert.deepEqual(await ended(run('true')), [0, ''])
  const told = 'envs: the session reached its time limit (1 s) and was ended.\n'
  assert.deepEqual(await ended(run('sleep', '600')), [124, told])
  assert.deepEqual(await ended(sh('trap "" HUP; sleep 600 & wait')), [124, told])
  // The session's own processes are gone with it.
  assert.equal((await sh('ps -e -o comm= | grep -c sleep')).stdout, '0\n')
})

test('timeout: a session may have less time than its environment, and not more', async () => {
  const {runWith} = await limited('timeout=2s')
  assert.match((await runWith({flags: ['--timeout', '1s']}, 'sleep', '600')).stderr, /\(1 s\)/)
  assert.match((await runWith({flags: ['--timeout', '1h']}, 'sleep', '600')).stderr, /\(2 s\)/)
})

test('timeout: a status of the command before its end stays', async () => {
  const {runWith} = await limited()
  const {status, stderr} = await runWith({flags: ['--timeout', '1h']}, 'sh', '-c', 'exit 7')
  assert.deepEqual([status, stderr], [7, ''])
})

test('required limits that are not enforced refuse a change, a start and a session', async () => {
  const {cli} = await limited('memory=100M')
  const refused = await cli.run('set', 'play', 'require-limits=yes')
  assert.equal(refused.status, 7)
  assert.match(
    refused.stderr,
    /^envs: This host does not enforce the limits of "play" for all of its processes together: memory\.\n/,
  )
  const create = await cli.run('create', 'noble', '--name', 'other', '--cpus', '1', '--require-limits')
  assert.deepEqual([create.status, /: cpus\.\n/.test(create.stderr)], [7, true])
  assert.equal((await cli.run('set', 'play', 'memory=none', 'processes=100', 'require-limits=yes')).status, 0)
  assert.equal((await cli.run('run', 'play', 'true')).stderr, '')
})

test('show has the limits of the start while it runs, and those of the next start otherwise; a clone has them too', async () => {
  const {cli, start} = await limited('memory=100M', 'timeout=10m')
  const shown = async (name: string) => JSON.parse((await cli.run('show', name, '--json')).stdout).limits
  const expected = {
    shared: [{name: 'memory', value: 100_000_000, enforced: 'process'}],
    ...{timeoutSeconds: 600, isRequired: false, memoryKills: null},
  }
  assert.deepEqual(await shown('play'), expected)
  const session = start('run', 'play', 'sh', '-c', 'echo ready; exec sleep 600')
  await new Promise((resolve) => session.stdout?.once('data', resolve))
  await cli.run('set', 'play', 'memory=none', 'timeout=none')
  assert.deepEqual(await shown('play'), expected)
  await cli.run('stop', 'play')
  assert.deepEqual((await shown('play')).shared, [])
})

test('words that are no limits are refused', async () => {
  const {cli} = await play()
  const {status, stderr} = await cli.run('set', 'play', 'memory=lots')
  assert.deepEqual(
    [status, stderr],
    [
      2,
      'envs: The value "lots" of "memory" is invalid: it must be a size from 16M on, such as 500M or 2G, or none.\n',
    ],
  )
  const run = await cli.run('run', '--timeout', 'soon', 'play', 'true')
  assert.equal(run.status, 125)
  assert.match(run.stderr, /^envs: --timeout "soon" is invalid: it must be a time in seconds/)
})

async function ended(running: ReturnType<Guest['run']>): Promise<[status: number | null, stderr: string]> {
  const {status, stderr} = await running
  return [status, stderr.replace(/^envs: warning: This host does not enforce.*\n/m, '')]
}
