import assert from 'node:assert/strict'
import {test} from 'node:test'
import {mayPing, readNetworkLimits} from '../../../src/host/machine/network-limits.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {onTerminal} from '../../support/guest-terminal.js'

const PROMPT = '(play)root@play:~# '

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: enter shows the environment's name and ends with the shell's status`, {
    skip,
  }, async () => {
    const {screen, status} = await onTerminal(await play(), 'envs enter play', [
      {after: PROMPT, send: 'exit 42\r'},
    ])
    assert.equal(status, 42)
    assert.ok(screen.includes(`${PROMPT}exit 42\r\n`), screen)
  })

  test(`${identity}: a shell ends with Ctrl-D, and gives its last command's status`, {skip}, async () => {
    const {status} = await onTerminal(await play(), 'envs enter play', [
      {after: PROMPT, send: '(exit 7)\r'},
      {after: PROMPT, send: '\x04'},
    ])
    assert.equal(status, 7)
  })

  test(`${identity}: the terminal is one of the guest's own, with a name`, {skip}, async () => {
    const {screen} = await onTerminal(await play(), 'envs run play tty')
    assert.match(screen, /^\/dev\/pts\/\d+\r\n$/)
  })

  test(`${identity}: all three streams are the terminal`, {skip}, async () => {
    const {status} = await onTerminal(
      await play(),
      "envs run play sh -c 'test -t 0 && test -t 1 && test -t 2'",
    )
    assert.equal(status, 0)
  })

  test(`${identity}: arguments stay the same to the letter on a terminal`, {skip}, async () => {
    const {screen} = await onTerminal(
      await play(),
      `envs run play printf '<%s>' '' 'a b' "it's" '$HOME' '*' '--help' '\\'`,
    )
    assert.equal(screen, "<><a b><it's><$HOME><*><--help><\\>")
  })

  test(`${identity}: SHELL is the user's on a terminal too`, {skip}, async () => {
    assert.equal(
      (await onTerminal(await play(), "envs run play sh -c 'echo $SHELL'")).screen,
      '/bin/bash\r\n',
    )
  })

  for (const status of [0, 1, 125, 126, 127, 255]) {
    test(`${identity}: status ${status} passes through a terminal`, {skip}, async () => {
      const ran = await onTerminal(await play(), `envs run play sh -c 'exit ${status}'`)
      assert.deepEqual(ran, {status, screen: ''})
    })
  }

  for (const [signal, status] of [
    ['TERM', 143],
    ['KILL', 137],
  ] as const) {
    test(`${identity}: a command that ${signal} ends gives ${status} on a terminal`, {skip}, async () => {
      const ran = await onTerminal(await play(), `envs run play sh -c 'kill -${signal} $$'`)
      assert.equal(ran.status, status)
    })
  }

  for (const [what, command, status, told] of [
    ['is not there', 'no-such-command', 127, 'was not found'],
    ['is not there, by its path', '/usr/bin/no-such-command', 127, 'was not found'],
    ['has no name', "''", 127, 'was not found'],
    ['is a folder', '/etc', 126, 'cannot be executed'],
    ['is no program', '/etc/passwd', 126, 'cannot be executed'],
    ['lies in a file', '/etc/passwd/x', 126, 'cannot be executed'],
  ] as const) {
    test(`${identity}: of a command that ${what} the words and the status are the same on a terminal`, {
      skip,
    }, async () => {
      const ran = await onTerminal(await play(), `envs run play ${command}`)
      assert.deepEqual(ran, {
        status,
        screen: `envs: The command "${command.replace("''", '')}" ${told} in "play".\r\n`,
      })
      const piped = await onTerminal(await play(), `envs run play ${command} 2>&1 | cat; exit $PIPESTATUS`)
      assert.deepEqual(piped, ran)
    })
  }

  test(`${identity}: what a shell can execute is executed on a terminal, with an interpreter or without`, {
    skip,
  }, async () => {
    const guest = await play()
    await guest.sh("mkdir -p /opt/a/tool /opt/b; echo 'echo plain $1' >/opt/b/tool; chmod 755 /opt/b/tool")
    const {screen, status} = await onTerminal(
      guest,
      'envs run -e PATH=/opt/a:/opt/b:/usr/bin:/bin play tool x',
    )
    assert.deepEqual([screen, status], ['plain x\r\n', 0])
  })

  test(`${identity}: Ctrl-C ends a command, and gives 130`, {skip}, async () => {
    const {status} = await onTerminal(await play(), "envs run play sh -c 'echo ready; exec sleep 50'", [
      {after: 'ready', send: '\x03'},
    ])
    assert.equal(status, 130)
  })

  test(`${identity}: Ctrl-\\ ends a command, and gives 131`, {skip}, async () => {
    const {status} = await onTerminal(
      await play(),
      "envs run play sh -c 'ulimit -c 0; echo ready; exec sleep 50'",
      [{after: 'ready', send: '\x1c'}],
    )
    assert.equal(status, 131)
  })

  test(`${identity}: Ctrl-C in a shell ends what runs there, and the shell goes on`, {skip}, async () => {
    const {screen, status} = await onTerminal(await play(), 'envs enter play', [
      {after: PROMPT, send: "sh -c 'echo rea''dy; exec sleep 50'\r"},
      {after: 'ready\r\n', send: '\x03'},
      {after: PROMPT, send: 'echo status $?\r'},
      {after: PROMPT, send: 'exit 0\r'},
    ])
    assert.match(screen, /status 130\r\n/)
    assert.equal(status, 0)
  })

  test(`${identity}: Ctrl-C reaches a program that handles it, once`, {skip}, async () => {
    const program = `$SIG{INT} = sub { print "interrupted\\n" }; $| = 1; print "ready\\n"; while (<STDIN>) { print "read $_"; last }`
    const {screen, status} = await onTerminal(await play(), `envs run play perl -e '${program}'`, [
      {after: 'ready\r\n', send: '\x03'},
      {after: 'interrupted\r\n', send: 'line\r'},
    ])
    assert.equal(screen.match(/interrupted/g)?.length, 1)
    assert.match(screen, /read line\r\n$/)
    assert.equal(status, 0)
  })

  test(`${identity}: Ctrl-Z, jobs and fg work in a shell`, {skip}, async () => {
    const {screen, status} = await onTerminal(await play(), 'envs enter play', [
      {after: PROMPT, send: "sh -c 'echo rea''dy; read -r line; echo got $line'\r"},
      {after: 'ready\r\n', send: '\x1a'},
      {after: PROMPT, send: 'jobs\r'},
      {after: PROMPT, send: 'fg\r'},
      // The shell shows the job once its line editor has left the terminal to it.
      {after: "echo got $line'\r\n", send: 'hello\r'},
      {after: 'got hello', send: ''},
      {after: PROMPT, send: 'exit 5\r'},
    ])
    assert.match(screen, /\[1\]\+ {2}Stopped {17}sh -c/)
    assert.equal(status, 5)
  })

  test(`${identity}: the size is the terminal's, and follows it`, {skip}, async () => {
    const follow = `trap 'echo now $(stty size)' WINCH; echo ready $(stty size); while :; do read -r x && exit 3; done`
    const {screen, status} = await onTerminal(
      await play(),
      `me=$(tty); (sleep 2; stty cols 101 rows 37 <$me) & envs run play sh -c "${follow.replaceAll('$', '\\$')}"`,
      [
        {after: 'ready 24 80', send: ''},
        {after: 'now 37 101', send: '\r'},
      ],
    )
    assert.match(screen, /now 37 101\r\n/)
    assert.equal(status, 3)
  })

  for (const [what, line, typed] of [
    ['a command', 'envs run play true', []],
    ['a command that left it raw', 'envs run play stty raw -echo', []],
    ['a command that was killed', "envs run play sh -c 'stty raw -echo; kill -KILL \\$\\$'", []],
    ['a shell', 'envs enter play', [{after: PROMPT, send: 'exit\r'}]],
    ['a command that is not there', 'envs run play no-such', []],
    ['Ctrl-C', "envs run play sh -c 'echo ready; exec sleep 50'", [{after: 'ready', send: '\x03'}]],
  ] as const) {
    test(`${identity}: the terminal's modes are whole after ${what}`, {skip}, async () => {
      const {screen} = await onTerminal(
        await play(),
        `before=$(stty -g); eval "${line}"; [ "$(stty -g)" = "$before" ] && echo who''le`,
        typed,
      )
      assert.match(screen, /whole\r\n$/)
    })
  }

  test(`${identity}: output to a pipe is not touched, while input is the terminal`, {skip}, async () => {
    const {screen} = await onTerminal(
      await play(),
      `envs run play sh -c 'test -t 0 && echo input; test -t 1 || echo pipe' | od -An -c`,
    )
    assert.equal(screen.replace(/\s+/g, ' ').trim(), 'i n p u t \\n p i p e \\n')
  })

  test(`${identity}: Ctrl-C ends a command that writes to a pipe`, {skip}, async () => {
    const {screen} = await onTerminal(
      await play(),
      `envs run play sh -c 'echo ready; exec sleep 50' | cat; echo status $PIPESTATUS`,
      [{after: 'ready', send: '\x03'}],
    )
    // The shell that ran the pipeline was interrupted with it, or goes on: either way it is over at once.
    assert.ok(screen.startsWith('ready\r\n'), screen)
  })

  test(`${identity}: a file as input reaches the command, while output is the terminal`, {skip}, async () => {
    const {screen} = await onTerminal(await play(), 'echo from-file | envs run play cat')
    assert.equal(screen, 'from-file\r\n')
  })
}

const shared = sharedGuest('emulated')

test('leaving a shell tells in one line which processes go on', async () => {
  const {screen} = await onTerminal(await shared(), 'envs enter play; envs stop --force play', [
    {after: PROMPT, send: 'sleep 600 &\r'},
    {after: PROMPT, send: 'exit\r'},
  ])
  assert.match(screen, /\r\nenvs: play still runs 1 process: sleep\. To see them: envs ps play\r\n/)
})

test('leaving a shell without a process tells nothing', async () => {
  const {screen} = await onTerminal(await shared(), 'envs enter play', [{after: PROMPT, send: 'exit\r'}])
  assert.doesNotMatch(screen, /envs:/)
})

const NO_INIT = 'no init runs in an environment. To start a service by its script: {run}service SERVICE start'
const NO_PING =
  'envs: this host allows ping only to the groups in net.ipv4.ping_group_range, and yours is none of them. To see what to ask an administrator, on the host: envs doctor\r\n'

for (const [line, note] of [
  ['systemctl status', `envs: ${NO_INIT.replace('{run}', 'envs run play ')}\r\n`],
  ['ping localhost', mayPing(readNetworkLimits(), process.getgid?.() ?? 0) ? '' : NO_PING],
] as const) {
  test(`${line} that fails is explained on a terminal, and nowhere else`, async () => {
    const guest = await shared()
    const [program = ''] = line.split(' ')
    const path = `/usr/local/bin/${program}`
    await guest.sh(`printf '#!/bin/sh\\nexit 3\\n' >${path}; chmod 755 ${path}`)
    const {screen, status} = await onTerminal(guest, `envs run play ${line}`)
    assert.deepEqual([status, screen], [3, note])
    assert.equal((await guest.run(...line.split(' '))).stderr, '')
  })
}

test('a shell explains a command that needs an init, once for each line, and keeps its status', async () => {
  const guest = await shared()
  await guest.sh('rm -f /root/.bash_history /usr/local/bin/systemctl')
  const {screen, status} = await onTerminal(guest, 'envs enter play', [
    {after: PROMPT, send: 'snap install hello\r'},
    {after: PROMPT, send: '\r'},
    {after: PROMPT, send: 'cd /srv && systemctl start cron\r'},
    {after: PROMPT.replace('~', '/srv'), send: '(exit 9)\r'},
    {after: PROMPT.replace('~', '/srv'), send: 'exit\r'},
  ])
  const notes = screen.split('\r\n').filter((line) => line.startsWith('envs: '))
  assert.deepEqual(notes, [
    'envs: snapd needs systemd, and no init runs in an environment. Install a package by apt instead.',
    `envs: ${NO_INIT.replace('{run}', '')}`,
  ])
  assert.equal(status, 9)
})

test('a shell without a terminal has no trace of the notes', async () => {
  const guest = await shared()
  const ran = await guest.cli.runWith(
    {input: 'snap install hello\necho "<$PROMPT_COMMAND>"\n'},
    'enter',
    'play',
  )
  assert.equal(ran.stdout, '<>\n')
  assert.doesNotMatch(ran.stderr, /envs:/)
})
