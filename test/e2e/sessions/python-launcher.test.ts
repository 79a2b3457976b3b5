import assert from 'node:assert/strict'
import {existsSync, mkdtempSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {after, test} from 'node:test'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {environmentCli} from '../../support/environment-cli.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {onTerminal} from '../../support/guest-terminal.js'
import {poorerHost} from '../../support/poorer-host.js'
import {childrenOf, commandsIn, startSession} from '../../support/running-session.js'
import {canSimulate} from '../../support/simulated-host.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

const unsimulated = (await canSimulate()) ? false : 'no user namespace to hide perl in'

for (const {identity, skip: unmapped} of IDENTITIES) {
  const skip = unsimulated || unmapped
  const tidyUps: (() => Promise<void>)[] = []
  const behind = () =>
    poorerHost({after: (tidyUp) => void tidyUps.push(tidyUp)}, {without: ['perl'], identity})
  const play = sharedGuest(identity, {behind, isPlain: true})
  // Hooks run in the order they are given: the guest goes before its host.
  after(async () => {
    for (const tidyUp of tidyUps) await tidyUp()
  })

  test(`${identity}: without perl a session is started by python3`, {skip}, async () => {
    const session = await startSession(await play(), 'echo ready; exec sleep 60')
    const launchers = childrenOf(session.pid).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
    assert.ok(
      launchers.some((line) => /\/python3\0-I\0-S\0.*\/session\.py\0/.test(line)),
      launchers.join(),
    )
    process.kill(session.pid, 'SIGTERM')
    assert.equal(await session.ended(), 143)
  })

  for (const [what, script, status] of [
    ['an exit status', 'exit 42', 42],
    ['the number of a signal', 'kill -KILL $$', 137],
    ['the end by a closed pipe, for SIGPIPE is not ignored', '{ kill -PIPE $$; }; exit 1', 141],
  ] as const) {
    test(`${identity}: without perl ${what} is handed on`, {skip}, async () => {
      const ran = await (await play()).sh(script)
      assert.deepEqual(ran, {status, signal: null, stdout: '', stderr: ''})
    })
  }

  for (const [status, command] of [
    [127, 'no-such-command'],
    [126, '/etc'],
  ] as const) {
    test(`${identity}: without perl a command that can not be executed gives ${status}`, {skip}, async () => {
      const ran = await (await play()).run(command)
      assert.equal(ran.status, status)
      assert.match(ran.stderr, new RegExp(`^envs: ${command}: .* in play\\.\n$`))
      const {screen, status: shown} = await onTerminal(await play(), `envs run play ${command}`)
      assert.deepEqual([screen, shown], [ran.stderr.replace('\n', '\r\n'), status])
    })
  }

  test(`${identity}: without perl a script that names no interpreter is the shell's`, {skip}, async () => {
    const {runWith, sh} = await play()
    await sh('echo \'echo "as $0"\' >/tmp/plain; chmod +x /tmp/plain')
    const ran = await runWith({flags: ['-e', 'PATH=/usr/bin:/tmp']}, 'plain')
    assert.deepEqual([ran.stdout, ran.stderr], ['as /tmp/plain\n', ''])
  })

  test(`${identity}: without perl arguments and variables arrive byte for byte`, {skip}, async () => {
    const {runWith} = await play()
    const odd = ['', 'a b', "it's", '*', '-x', 'Büro', 'a\nb']
    const ran = await runWith(
      {flags: ['-e', 'ODD=ü=\n ']},
      'sh',
      '-c',
      'printf "<%s>" "$ODD" "$@"',
      'sh',
      ...odd,
    )
    assert.equal(ran.stdout, ['ü=\n ', ...odd].map((word) => `<${word}>`).join(''))
  })

  test(`${identity}: without perl a command has no variable of Python's`, {skip}, async () => {
    const {stdout} = await (await play()).run('env')
    assert.doesNotMatch(stdout, /^(PYTHON|LC_)/m)
  })

  for (const [signal, status] of [
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGUSR1', 138],
  ] as const) {
    test(`${identity}: without perl ${signal} to envs reaches the command`, {skip}, async () => {
      const name = signal.slice('SIG'.length)
      const catching = `trap 'echo caught; exit 42' ${name}; echo ready; while :; do sleep 0.05; done`
      const handled = await startSession(await play(), catching)
      process.kill(handled.pid, signal)
      assert.equal(await handled.ended(), 42)
      assert.equal(handled.output(), 'ready\ncaught\n')
      const plain = await startSession(await play(), 'echo ready; exec sleep 60')
      process.kill(plain.pid, signal)
      assert.equal(await plain.ended(), status)
    })
  }

  test(`${identity}: without perl a command that ignores a hang-up ends when envs is killed`, {
    skip,
  }, async () => {
    const guest = await play()
    const session = await startSession(guest, 'trap "" HUP TERM INT; echo ready; while :; do sleep 0.1; done')
    process.kill(session.pid, 'SIGKILL')
    assert.equal(await session.ended(), 137)
    await waitUntil('the end of the guest command', async () => (await commandsIn(guest)).length === 0)
    await waitUntil('the end of the environment', () => readLiveAnchor(guest.state) === undefined)
  })

  test(`${identity}: without perl a session has a terminal of the guest's own`, {skip}, async () => {
    const {screen, status} = await onTerminal(
      await play(),
      `envs run play sh -c 'tty; echo "$SHELL"; exit 7' "it's"`,
    )
    assert.match(screen, /^\/dev\/pts\/\d+\r\n\/bin\/bash\r\n$/)
    assert.equal(status, 7)
  })

  test(`${identity}: without perl Ctrl-C ends a command on a terminal`, {skip}, async () => {
    const {status} = await onTerminal(await play(), "envs run play sh -c 'echo ready; exec sleep 50'", [
      {after: 'ready', send: '\x03'},
    ])
    assert.equal(status, 130)
  })

  test(`${identity}: without perl a folder is shared, and with :ro can not be written`, {skip}, async () => {
    const guest = await play()
    const share = mkdtempSync(join(guest.cli.home, 'share-'))
    writeFileSync(join(share, 'note'), 'of the host\n')
    const ran = await guest.runWith(
      {flags: ['-v', `${share}:/data`, '-v', `${share}:/opt/made/ro:ro`, '-v', `${share}/note:/opt/note`]},
      ...['sh', '-c', 'cat /data/note /opt/note; echo back >/data/answer; echo x >/opt/made/ro/note'],
    )
    assert.equal(ran.stdout, 'of the host\nof the host\n')
    assert.match(ran.stderr, /Read-only file system/)
    assert.equal(readFileSync(join(share, 'answer'), 'utf8'), 'back\n')
    assert.equal(readFileSync(join(share, 'note'), 'utf8'), 'of the host\n')
  })

  for (const [what, flags, told] of [
    ['a source that is missing', ['-v', '/no/such:/x'], /\/no\/such can't be shared: no such file/],
    [
      'a target below a file',
      ['-v', '/etc:/etc/passwd/x'],
      /mounted on \/etc\/passwd\/x there: not a directory/,
    ],
    ['a folder that is missing', ['-w', '/no/such'], /the folder \/no\/such can't be entered: no such file/],
    ['a user that is missing', ['-u', 'nobody-such'], /it has no user nobody-such/],
    ['a group that is missing', ['-u', 'root:no-such'], /it has no group root:no-such/],
  ] as const) {
    test(`${identity}: without perl ${what} is refused in the same words`, {skip}, async () => {
      const guest = await play()
      const ran = await guest.runWith({flags}, 'true')
      assert.deepEqual([ran.status, ran.stdout], [125, ''])
      assert.match(ran.stderr, told)
      assert.equal(existsSync(join(guest.root, 'x')), false)
    })
  }

  for (const [user, expected] of [
    ['root', '0 0 root /root /bin/bash'],
    ['games:tape', '5 26 games /usr/games /bin/sh'],
    ['12345', '12345 12345 12345 / /bin/sh'],
  ] as const) {
    test(`${identity}: without perl --user ${user} is that user`, {skip}, async () => {
      const {runWith} = await play()
      const script = 'echo $(id -u) $(id -g) $USER $HOME $SHELL'
      const ran = await runWith({flags: ['--user', user]}, 'sh', '-c', script)
      assert.deepEqual([ran.stdout, ran.stderr], [`${expected}\n`, ''])
    })
  }

  test(`${identity}: without perl a session gets three descriptors, and no folder of the caller`, {
    skip,
  }, async () => {
    const {onHost} = await play()
    const {stdout} = await onHost(`exec 7</ 9</ 20</ 250</; envs run play sh -c 'ls /proc/$$/fd; :'`)
    assert.equal(stdout, '0\n1\n2\n')
  })

  test(`${identity}: without perl no signal is blocked or ignored in a command`, {skip}, async () => {
    const {stdout} = await (await play()).run('grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status')
    assert.match(stdout, /^SigBlk:\t0+\nSigIgn:\t0+\n$/)
  })
}

test('without perl and python3 nothing is made or entered, and the error names both packages', {
  skip: unsimulated,
}, async (t) => {
  const words = await poorerHost(t, {without: ['perl', 'python3'], identity: 'emulated'})
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--name', 'old', '--identity', 'emulated')
  for (const [argv, status] of [
    [['create', '--json', path, '--name', 'new'], 7],
    [['run', '--json', 'old', 'true'], 125],
  ] as const) {
    const ran = await cli.runBehind(words, ...argv)
    const {error} = JSON.parse(ran.stdout)
    assert.deepEqual([ran.status, error.code], [status, 'ENVS_TOOL_MISSING'])
    assert.match(error.message, /perl-base and python3\.$/)
  }
  for (const argv of [
    ['list'],
    ['show', 'old'],
    ['path', 'old'],
    ['ps'],
    ['stop', 'old'],
    ['image', 'list'],
  ]) {
    assert.equal((await cli.runBehind(words, ...argv)).status, 0, argv.join(' '))
  }
  assert.equal((await cli.runBehind(words, 'rename', 'old', 'older')).status, 0)
  assert.equal((await cli.runBehind(words, 'rm', 'older')).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})
