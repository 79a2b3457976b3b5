import assert from 'node:assert/strict'
import {readFileSync, readlinkSync, symlinkSync, utimesSync} from 'node:fs'
import {mkdtemp, stat, writeFile} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import {test} from 'node:test'
import {capture, start} from '../../../src/host/process.js'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {FRONT_DOOR, type RunOptions} from '../../support/cli.js'
import {byFrontDoor, byNode, WITHOUT_NODE} from '../../support/front-door.js'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {onTerminal} from '../../support/guest-terminal.js'
import {childrenOf, commandsIn, startSession, stopped} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

/** Longer than an environment lasts that has no session. */
const SLOW_END_MS = 3000

/** A folder to put in front in PATH: its `node` is slow to end, and notes each of its starts. */
async function slowToEnd(home: string): Promise<{folder: string; starts(): number}> {
  const folder = await mkdtemp(join(home, 'slow-'))
  const [notes, slow] = [join(folder, 'starts'), join(folder, 'slow.cjs')]
  await writeFile(
    slow,
    `process.on('exit', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${SLOW_END_MS}))\n`,
  )
  const program = `#!/bin/sh\necho start >>'${notes}'\nexec '${process.execPath}' --require '${slow}' "$@"\n`
  await writeFile(join(folder, 'node'), program, {mode: 0o755})
  return {folder, starts: () => readFileSync(notes, 'utf8').split('\n').length - 1}
}

/** Up until it is stopped, and with the plan that plain sessions go by. */
async function up(play: () => Promise<Guest>): Promise<Guest> {
  const guest = await play()
  if (readLiveAnchor(guest.state) === undefined) await guest.sh('exec sleep 600 >/dev/null 2>&1 &')
  return guest
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  const plain: readonly (readonly [string, RunOptions, readonly string[]])[] = [
    ['output and status', {}, ['run', 'play', 'sh', '-c', 'echo out; echo err >&2; exit 3']],
    [
      'arguments',
      {},
      ['exec', 'play', '--', 'printf', '<%s>', '', 'a b', "it's", '--', '--help', 'ü\n', '*'],
    ],
    ['input', {input: Buffer.from([0, 255, 10, 13, 0])}, ['run', 'play', 'od', '-c']],
    [
      'the guest’s variables',
      {env: {TERM: 'vt52', TZ: 'UTC', no_proxy: 'a,b', SECRET: 'x'}},
      ['run', 'play', 'env'],
    ],
    ['the folder', {}, ['run', 'play', 'pwd']],
    ['who one is', {}, ['run', 'play', 'sh', '-c', 'id; umask; echo $0 $#']],
    ['the end by a signal', {}, ['run', 'play', 'sh', '-c', 'kill -SEGV $$']],
    ['signals', {}, ['run', 'play', 'grep', '^Sig[BI]', '/proc/self/status']],
    ['descriptors', {}, ['run', 'play', 'sh', '-c', 'ls /proc/$$/fd']],
    ['a shell', {input: 'shopt -q login_shell && echo login; pwd; exit 4\n'}, ['enter', 'play']],
    [
      'a folder that is shared',
      {},
      [
        ...['run', '--volume', '/etc:/opt/x y:ro', '--volume', '/usr:/mnt:rw', '--workdir', '/opt/x y'],
        ...['play', 'sh', '-c', 'pwd; cat hostname; ls /mnt'],
      ],
    ],
    ['flags of podman for the terminal', {}, ['exec', '-it', 'play', 'sh', '-c', 'echo "$@"', 'sh', '-it']],
    ['a shell by another name', {input: 'echo "$-"'}, ['login', 'play']],
  ]

  test(`${identity}: an environment waits for the session that Node has started it for`, {skip}, async () => {
    const guest = byFrontDoor(await stopped(play))
    const {folder, starts} = await slowToEnd(guest.cli.home)
    const env = {PATH: `${folder}:${guest.cli.env['PATH']}`}
    const ran = await guest.runWith({env}, 'echo', 'works')
    assert.deepEqual([ran.status, ran.stdout, ran.stderr, starts()], [0, 'works\n', '', 1])
    await stopped(play)
  })
  for (const [what, options, argv] of plain) {
    test(`${identity}: ${what} of a plain session are the same with Node and without`, {skip}, async () => {
      const guest = await up(play)
      const withNode = await byNode(guest).cli.runWith(options, ...argv)
      const env = {...options.env, ...WITHOUT_NODE}
      assert.deepEqual(await byFrontDoor(guest).cli.runWith({...options, env}, ...argv), withNode)
      assert.equal(withNode.stdout === '' && withNode.status === 0, false)
    })
  }

  for (const flags of [[], ['--user', 'games', '--env', 'A=b c']]) {
    test(`${identity}: an environment that is down is started, and no Node stays: ${flags.length} flags`, {
      skip,
    }, async () => {
      const guest = byFrontDoor(await stopped(play))
      const session = await startSession(guest, 'echo "$A"; id -un; echo ready; exec sleep 60', {flags})
      assert.equal(session.output(), flags.length === 0 ? '\nroot\nready\n' : 'b c\ngames\nready\n')
      const programs = [session.pid, ...childrenOf(session.pid)].map((pid) =>
        basename(readlinkSync(`/proc/${pid}/exe`)),
      )
      assert.deepEqual(programs, ['perl', 'perl'])
      process.kill(session.pid, 'SIGTERM')
      assert.equal(await session.ended(), 143)
    })
  }
}

const play = sharedGuest('emulated')

for (const [what, argv, status] of [
  ['a command that is not there', ['run', 'play', 'no-such'], 127],
  ['a flag too late', ['run', 'play', '--user', 'x', 'id'], 127],
  ['a command that can not be executed', ['run', 'play', '/etc'], 126],
  ['an environment that is not there', ['run', 'nowhere', 'true'], 125],
  ['a name that can not be', ['enter', '../play'], 125],
  ['no command', ['run', 'play', '--'], 125],
  ['a user that is not there', ['run', '--user', 'no-such', 'play', 'true'], 125],
  ['a folder that is not there', ['run', '--workdir', '/no/such', 'play', 'true'], 125],
  ['a source that is not there', ['run', '--volume', '/no/such:/x:rw', 'play', 'true'], 125],
  ['a share that can not be read', ['run', '--volume', '/etc:x:rw', 'play', 'true'], 125],
  ['a share of all', ['run', '--volume', '/etc:/..:rw', 'play', 'true'], 125],
  ['a flag that is not there', ['enter', '--no-such', 'play'], 125],
  ['help', ['run', '--help'], 0],
] as const) {
  test(`${what} is told in the same words at the front door`, async () => {
    const guest = await up(play)
    const ran = await byFrontDoor(guest).cli.run(...argv)
    assert.deepEqual(ran, await byNode(guest).cli.run(...argv))
    assert.equal(ran.status, status)
  })
}

for (const [signal, status] of [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGUSR1', 138],
] as const) {
  test(`${signal} reaches the command without Node`, async () => {
    const guest = byFrontDoor(await up(play))
    const catching = `trap 'echo caught; exit 42' ${signal.slice('SIG'.length)}; echo ready; while :; do sleep 0.05; done`
    const handled = await startSession(guest, catching)
    process.kill(handled.pid, signal)
    assert.equal(await handled.ended(), 42)
    assert.equal(handled.output(), 'ready\ncaught\n')
    const unhandled = await startSession(guest, 'echo ready; exec sleep 60')
    process.kill(unhandled.pid, signal)
    assert.equal(await unhandled.ended(), status)
  })
}

test('a command that ignores a hang-up ends when the one that waits is killed', async () => {
  const guest = byFrontDoor(await stopped(play))
  const session = await startSession(guest, 'trap "" HUP TERM INT; echo ready; while :; do sleep 0.1; done')
  process.kill(session.pid, 'SIGKILL')
  assert.equal(await session.ended(), 137)
  await waitUntil('the end of the command', async () => (await commandsIn(guest)).length === 0)
})

for (const [what, line, typed] of [
  ['a terminal of the guest', `envs run play sh -c 'tty | tr 0-9 N; stty size; exit 7'`, []],
  ['Ctrl-C', `envs run play sh -c 'echo ready; exec sleep 50'`, [{after: 'ready', send: '\x03'}]],
  ['a shell on a terminal', 'envs enter play', [{after: '# ', send: 'exit 42\r'}]],
  ['a terminal for input alone', `envs run play sh -c 'test -t 0; echo $?; tty -s; echo $?' | cat`, []],
] as const) {
  test(`${what} is the same with Node and without`, async () => {
    const guest = await up(play)
    const withNode = await onTerminal(byNode(guest), line, typed)
    assert.deepEqual(await onTerminal(byFrontDoor(guest), line, typed), withNode)
  })
}

test('four that find an environment down start it once', async () => {
  const guest = byFrontDoor(await stopped(play))
  const script = 'readlink /proc/self/ns/pid; sleep 0.3'
  const ran = await Promise.all([1, 2, 3, 4].map(() => guest.sh(script)))
  assert.deepEqual(
    ran.map(({status}) => status),
    [0, 0, 0, 0],
  )
  assert.equal(new Set(ran.map(({stdout}) => stdout)).size, 1)
  // Else the next test could take it for one that stays up.
  await stopped(play)
})

test('signals that the caller ignores are not ignored in the guest', async () => {
  const guest = await up(play)
  const line = `trap '' INT QUIT PIPE HUP CHLD; exec '${FRONT_DOOR}' run play grep ^SigIgn /proc/self/status`
  const {stdout} = await capture(['/bin/bash', '-c', line], {env: {...guest.cli.env, ...WITHOUT_NODE}})
  assert.match(stdout, /^SigIgn:\t0+\n$/)
})

test('what the caller left open is open to no guest, and stays the caller’s lock', async () => {
  const guest = await up(play)
  const line = `exec 9</ 20</ 250</; '${FRONT_DOOR}' run play sh -c 'ls /proc/$$/fd; :'`
  const {stdout, stderr} = await capture(['/bin/bash', '-c', line], {
    env: {...guest.cli.env, ...WITHOUT_NODE},
  })
  assert.equal(stdout, '0\n1\n2\n', stderr)
})

test('a session whose input is closed goes by Node, and works', async () => {
  const guest = await up(play)
  const {stdout, stderr} = await guest.onHost(`'${FRONT_DOOR}' run play sh -c 'cat; echo end' <&-`)
  assert.equal(stdout, 'end\n', stderr)
})

test('settings of Perl and locales that are not there change nothing', async () => {
  const guest = byFrontDoor(await up(play))
  for (const env of [{LC_ALL: 'xx_YY'}, {PERL_UNICODE: 'SDA'}, {PERL5OPT: '-Mnosuch'}]) {
    const ran = await guest.cli.runWith({env}, 'run', 'play', 'printf', 'ü')
    assert.deepEqual(ran, {status: 0, signal: null, stdout: 'ü', stderr: ''})
  }
})

test('it is found through a link, by a relative path, and in PATH', async () => {
  const guest = await up(play)
  const link = join(guest.cli.home, 'link')
  symlinkSync(FRONT_DOOR, link)
  const folder = dirname(FRONT_DOOR)
  for (const line of [
    `'${link}' run play echo found`,
    `cd '${folder}'; ./envs run play echo found`,
    `cd '${folder}'; sh envs run play echo found`,
    `cd '${dirname(folder)}'; ${basename(folder)}/envs run play echo found`,
    `PATH='${folder}':$PATH; envs run play echo found`,
    `'${link}' --version >/dev/null && echo found`,
  ]) {
    assert.equal((await guest.onHost(line)).stdout, 'found\n', line)
  }
})

test('without Node all that needs it says so', async () => {
  const guest = byFrontDoor(await stopped(play))
  for (const [argv, status] of [
    [['list'], 7],
    [['run', 'play', 'true'], 125],
    [['run', '--user', 'root', 'play', 'true'], 125],
  ] as const) {
    const ran = await guest.cli.runWith({env: WITHOUT_NODE}, ...argv)
    assert.deepEqual([ran.status, ran.stdout], [status, ''])
    assert.match(ran.stderr, /^envs: Node\.js was not found\.\n {2}Install Node\.js 20\.17 or later/)
  }
})

test('a session is noted as the last use', async () => {
  const guest = await up(play)
  const note = join(dirname(guest.state), 'last-used')
  utimesSync(note, 1, 1)
  await byFrontDoor(guest).runWith({env: WITHOUT_NODE}, 'true')
  assert.ok(Date.now() - (await stat(note)).mtimeMs < 60_000)
})

test('it waits for one who holds the environment for a moment', async () => {
  const guest = byFrontDoor(await up(play))
  const lock = join(guest.cli.data, 'locks', 'play.lock')
  await stopped(play)
  const holder = start(['flock', '-x', lock, 'sh', '-c', 'echo held; sleep 1'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await new Promise((resolve) => holder.stdout?.once('data', resolve))
  assert.deepEqual(await guest.run('echo', 'after'), {status: 0, signal: null, stdout: 'after\n', stderr: ''})
  assert.notEqual(holder.exitCode, null)
})

test('the front door knows the names of both commands, and join/plan.pl the variables that matter', () => {
  const source = (path: string) => readFileSync(join(dirname(FRONT_DOOR), path), 'utf8')
  const session =
    source('../src/cli/session-line.ts') + source('../src/environments/session/typed-session.ts')
  const quoted = (name: string) =>
    [...(new RegExp(`const ${name}.*= \\[(.*)\\]`).exec(session)?.[1] ?? '').matchAll(/'([\w]+)'/g)].map(
      ([, word]) => word,
    )
  const [run, enter, variables] = [quoted('RUN'), quoted('ENTER'), quoted('SESSION_VARIABLES')]
  const words = (path: string, list: string) =>
    new RegExp(`${list} = (?:map .* )?qw\\((.*)\\);`).exec(source(path))?.[1]?.split(' ')
  assert.deepEqual(words('../templates/host/join.pl', '%is_run'), run)
  // envs shell NAME is the same, where NAME is an environment that runs.
  const entering = [...enter.slice(0, -1), 'shell', ...enter.slice(-1)]
  assert.deepEqual(words('../templates/host/join.pl', '%is_enter'), entering)
  assert.deepEqual(words('../templates/host/join/plan.pl', '@VARIABLES_THAT_MATTER'), variables)
  assert.ok(source('envs').includes(`  ${[...run, ...entering].join(' | ')})\n`))
})
