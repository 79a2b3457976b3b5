import assert from 'node:assert/strict'
import {mkdtemp, readFile, writeFile} from 'node:fs/promises'
import {hostname} from 'node:os'
import {join} from 'node:path'
import {test} from 'node:test'
import {engineCases} from '../../support/engine-cases.js'
import {onTerminal} from '../../support/guest-terminal.js'
import {commandsIn, startSession} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

/** Of root's shell; the hostname in it is the host's with proot. */
const PROMPT = ':~# '

for (const {title, engine, skip, play} of engineCases()) {
  const hasNamespaces = engine !== 'proot'

  test(`${title}: a command runs as root in its own tree, and its streams and status are ours`, {
    skip,
  }, async () => {
    const {runWith} = await play()
    const script = 'id -u; . /etc/os-release; echo $ID; cat; echo told >&2; exit 42'
    const ran = await runWith({input: 'piped\n'}, 'sh', '-c', script)
    assert.deepEqual(ran, {status: 42, signal: null, stdout: '0\ndebian\npiped\n', stderr: 'told\n'})
  })

  test(`${title}: envs show tells the engine`, {skip}, async () => {
    const {cli} = await play()
    const ran = await cli.run('show', 'play', '--json')
    assert.equal(JSON.parse(ran.stdout).engine, engine, ran.stderr)
  })

  test(`${title}: the hostname is the ${hasNamespaces ? "environment's" : "host's"}`, {skip}, async () => {
    const {run} = await play()
    const name = hasNamespaces ? 'play' : hostname()
    assert.equal((await run('cat', '/proc/sys/kernel/hostname')).stdout, `${name}\n`)
  })

  for (const [status, command] of [
    [127, 'no-such-command'],
    [126, '/etc'],
  ] as const) {
    test(`${title}: a command that can't be executed gives ${status}`, {skip}, async () => {
      const ran = await (await play()).run(command)
      assert.equal(ran.status, status)
      assert.match(ran.stderr, new RegExp(`^envs: The command "${command}" .* in "play"\\.\n$`))
    })
  }

  test(`${title}: a user, a folder and a variable are as asked for`, {skip}, async () => {
    const {runWith} = await play()
    const flags = ['--user', 'games', '--workdir', '/usr', '--env', 'MINE=a b']
    const ran = await runWith({flags}, 'sh', '-c', 'id -un; id -u; pwd; echo "$MINE"; echo $HOME')
    assert.deepEqual([ran.stdout, ran.stderr], ['games\n5\n/usr\na b\n/usr/games\n', ''])
  })

  test(`${title}: what a shell has built in is the guest's program all the same`, {skip}, async () => {
    const {run} = await play()
    assert.equal((await run('echo', '-e', String.raw`a\x41`)).stdout, 'aA\n')
    assert.equal((await run('echo', String.raw`a\nb`)).stdout, 'a\\nb\n')
  })

  test(`${title}: variables have the values they are given, whatever their names`, {skip}, async () => {
    const {runWith} = await play()
    const names = 'name number line uid gid home shell task wanted folder found place status'.split(' ')
    const flags = names.flatMap((name) => ['--env', `${name}=of ${name}`])
    const ran = await runWith({flags}, 'printenv', ...names)
    assert.equal(ran.stdout, names.map((name) => `of ${name}\n`).join(''))
  })

  for (const [flag, value, message] of [
    ['--user', 'nobody-such', /it has no user "nobody-such"/],
    ['--workdir', '/nowhere', /could not enter the folder "\/nowhere"/],
  ] as const) {
    test(`${title}: ${flag} ${value} is refused in words`, {skip}, async () => {
      const ran = await (await play()).runWith({flags: [flag, value]}, 'true')
      assert.equal(ran.status, 125)
      assert.match(ran.stderr, message)
    })
  }

  test(`${title}: null, zero and random are devices, and /dev/shm holds files of all`, {skip}, async () => {
    const {sh} = await play()
    const script = [
      'for name in null zero full random urandom; do test -c /dev/$name || echo $name; done',
      'head -c 3 /dev/zero | wc -c; echo gone >/dev/null; stat -Lc %a /dev/shm; test -d /proc/1; echo $?',
    ]
    assert.equal((await sh(script.join('\n'))).stdout, '3\n1777\n0\n')
  })

  test(`${title}: names are found by the host's resolver settings`, {skip}, async () => {
    const {sh} = await play()
    const ran = await sh('cat /etc/resolv.conf; ls -A /run/envs | grep -c resolv.conf')
    assert.equal(ran.stdout, `${await readFile('/etc/resolv.conf', 'utf8')}1\n`)
  })

  test(`${title}: a folder of the host is shared with the session that asks`, {skip}, async () => {
    const {cli, runWith, run} = await play()
    const folder = await mkdtemp(join(cli.home, 'shared-'))
    await writeFile(join(folder, 'in'), 'from the host\n')
    const flags = ['--volume', `${folder}:/mnt/shared`]
    const ran = await runWith({flags}, 'sh', '-c', 'cat /mnt/shared/in; echo back >/mnt/shared/out')
    assert.deepEqual([ran.stdout, ran.stderr], ['from the host\n', ''])
    assert.equal(await readFile(join(folder, 'out'), 'utf8'), 'back\n')
    assert.equal((await run('ls', '/mnt/shared')).stdout, '')
  })

  test(`${title}: SIGTERM to envs ends the command, which may decide its status`, {skip}, async () => {
    const guest = await play()
    const deaf = await startSession(guest, 'echo ready; exec sleep 60')
    process.kill(deaf.pid, 'SIGTERM')
    assert.equal(await deaf.ended(), 143)
    const handler = await startSession(guest, "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done")
    process.kill(handler.pid, 'SIGTERM')
    assert.equal(await handler.ended(), 42)
  })

  test(`${title}: a terminal has a name, Ctrl-C ends a command and not the shell, and the status is the shell's`, {
    skip,
  }, async () => {
    const {screen, status} = await onTerminal(await play(), 'envs enter play', [
      {after: PROMPT, send: 'tty\r'},
      {after: '/dev/pts/', send: ''},
      {after: PROMPT, send: `sh -c 'echo be""gun; exec sleep 60'\r`},
      {after: 'begun', send: '\x03'},
      {after: PROMPT, send: 'echo status $?\r'},
      {after: 'status 130', send: ''},
      {after: PROMPT, send: 'exit 7\r'},
    ])
    assert.equal(status, 7, screen)
  })

  test(`${title}: what runs is listed and keeps the environment, and envs stop ends it`, {skip}, async () => {
    const guest = await play()
    const session = await startSession(guest, 'echo ready; exec sleep 96.5')
    assert.ok((await commandsIn(guest)).includes('sleep 96.5'))
    const busy = await guest.cli.run('rm', 'play')
    assert.equal(busy.status, 4, busy.stderr)
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    assert.notEqual(await session.ended(), 0)
    assert.deepEqual(await commandsIn(guest), [])
  })

  const fate = hasNamespaces ? 'goes on until envs stop' : 'ends with it'
  test(`${title}: what a session leaves behind ${fate}`, {skip}, async () => {
    const guest = await play()
    await guest.sh('sleep 98.5 >/dev/null 2>&1 </dev/null &')
    assert.deepEqual(await commandsIn(guest), hasNamespaces ? ['sleep 98.5'] : [])
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    assert.deepEqual(await commandsIn(guest), [])
  })

  test(`${title}: kill -9 of envs leaves no command that reads on`, {skip}, async () => {
    const guest = await play()
    const session = await startSession(guest, 'trap "" HUP INT QUIT TERM; echo ready; exec sleep 97.5')
    process.kill(session.pid, 'SIGKILL')
    await session.ended()
    await waitUntil('the end of the command', async () => !(await commandsIn(guest)).includes('sleep 97.5'))
  })

  test(`${title}: six sessions at once from cold all work`, {skip}, async () => {
    const guest = await play()
    await guest.cli.run('stop', '--force', 'play')
    const ran = await Promise.all(Array.from({length: 6}, (_, index) => guest.run('echo', String(index))))
    assert.deepEqual(
      ran.map(({stdout}) => stdout),
      ran.map((_, index) => `${index}\n`),
    )
  })
}
