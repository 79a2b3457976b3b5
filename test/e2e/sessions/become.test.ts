import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {onTerminal} from '../../support/guest-terminal.js'

const WITH_SUDO_AND_DEV = `
  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y sudo passwd >/dev/null &&
  useradd --create-home --shell /bin/bash dev`
const WHO = 'echo $(id -un) $(id -gn) $USER $HOME $SHELL $PWD'
const DEV = 'dev dev dev /home/dev /bin/bash'
/** Prints its arguments so that none can be taken for two. */
const WORDS = 'printf "<%s>" "$@"'

/** Commands that are run by root in /opt with FOO=bar, what they print, and their status. */
// biome-ignore format: a line for each
const FORMS: readonly (readonly [readonly string[], string, number])[] = [
  [['su', 'dev', '-c', WHO], `${DEV} /opt\n`, 0],
  [['su', '-c', WHO, 'dev'], `${DEV} /opt\n`, 0],
  [['su', '-', 'dev', '-c', WHO], `${DEV} /home/dev\n`, 0],
  [['su', '-l', 'dev', `--command=${WHO}`], `${DEV} /home/dev\n`, 0],
  [['su', 'games', '-s', '/bin/sh', '-c', WHO], 'games games games /usr/games /bin/sh /opt\n', 0],
  [['su', '-m', '-s', '/bin/sh', 'dev', '-c', 'echo $(id -un) $USER $HOME'], 'dev root /root\n', 0],
  [['su', '-g', 'tape', 'dev', '-c', 'id -gn'], 'tape\n', 0],
  [['su', '-G', 'tape', 'dev', '-c', 'id -gn'], 'tape\n', 0],
  [['su', '-fc', 'id -un', 'dev'], 'dev\n', 0],
  [['su', 'dev', '--comm', 'id -un'], 'dev\n', 0],
  [['su', 'dev', '-c', `echo $0; ${WORDS}`, 'zero', 'a  b', "c'd", ''], "zero\n<a  b><c'd><>", 0],
  [['su', 'dev', '--', '-c', WORDS, 'zero', '-l', '*'], '<-l><*>', 0],
  [['su', '-', 'dev', '-c', 'echo $FOO $TERM $PATH'], 'xterm /usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games\n', 0],
  [['su', '-', 'dev', '-w', 'FOO', '-c', 'echo $FOO'], 'bar\n', 0],
  [['su', 'dev', '-c', 'echo $FOO'], 'bar\n', 0],
  [['su', 'dev', '-c', 'exit 42'], '', 42],
  [['su', 'dev', '-c', 'kill -TERM $$'], '', 143],
  [['su', 'nobody-such', '-c', 'id -un'], '', 1],
  [['su', '--no-such-option', 'dev', '-c', 'id -un'], '', 1],
  [['su', 'dev', '-s', '/no/such', '-c', 'id -un'], '', 127],
  [['su', 'root', '-c', 'id -un'], 'root\n', 0],
  [['su', '-c', 'id -un'], 'root\n', 0],
  [['runuser', '-u', 'dev', '--', 'sh', '-c', WHO], `${DEV} /opt\n`, 0],
  [['runuser', '-u', 'dev', '--', 'printf', '<%s>', 'a  b', "c'd", '', '-l'], "<a  b><c'd><><-l>", 0],
  [['runuser', '-l', 'dev', '-c', WHO], `${DEV} /home/dev\n`, 0],
  [['runuser', 'dev', '-c', WHO], `${DEV} /opt\n`, 0],
  [['runuser', '-u', 'dev'], '', 1],
  [['runuser', '-u', 'dev', 'ls', '-l'], '', 1],
  [['runuser', '-u', 'nobody-such', 'id'], '', 1],
  [['sudo', '-u', 'dev', 'sh', '-c', WHO], `${DEV} /opt\n`, 0],
  [['sudo', '-u', '#5', 'id', '-un'], 'games\n', 0],
  [['sudo', '-n', '-H', '--user=dev', '--', 'printf', '<%s>', 'a  b', '-u', ''], '<a  b><-u><>', 0],
  [['sudo', '-u', 'dev', '-g', 'tape', 'id', '-gn'], 'tape\n', 0],
  [['sudo', '-i', '-u', 'dev', 'sh', '-c', WHO], `${DEV} /home/dev\n`, 0],
  [['sudo', '-iu', 'dev', 'printf', '<%s>', "c'd", 'a  b', '*', '$HOME'], "<c'd><a  b><*></home/dev>", 0],
  [['sudo', '-u', 'dev', '-s', 'echo', 'a  b'], 'a  b\n', 0],
  [['sudo', '-u', 'dev', 'sh', '-c', 'echo $FOO $SUDO_USER $SUDO_UID $SUDO_GID $PATH'], 'root 0 0 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n', 0],
  [['sudo', '-u', 'dev', 'A=1', 'B=a b', 'sh', '-c', 'echo "$A $B $SUDO_COMMAND"'], '1 a b /usr/bin/sh -c echo "$A $B $SUDO_COMMAND"\n', 0],
  [['sudo', '-E', '-u', 'dev', 'sh', '-c', 'echo $FOO $USER'], 'bar dev\n', 0],
  [['sudo', '--preserve-env=FOO', '-u', 'dev', 'sh', '-c', 'echo $FOO'], 'bar\n', 0],
  [['sudo', '-u', 'dev', 'sh', '-c', 'exit 42'], '', 42],
  [['sudo', '-u', 'dev', 'no-such-command'], '', 1],
  [['sudo', '-u', 'nobody-such', 'id'], '', 1],
  [['sudo', '-u', 'dev'], '', 1],
  [['sudo', 'id', '-un'], 'root\n', 0],
]

for (const {identity, skip} of IDENTITIES) {
  const dev = guestWithDev(identity)

  for (const [command, stdout, status] of FORMS) {
    test(`${identity}: ${command.join(' ')} ends with ${status} and prints the same`, {skip}, async () => {
      const {runWith} = await dev()
      const ran = await runWith({flags: ['-w', '/opt', '-e', 'FOO=bar', '-e', 'TERM=xterm']}, ...command)
      assert.deepEqual([ran.stdout, ran.status], [stdout, status], ran.stderr)
      if (status === 1 || status === 127) assert.match(ran.stderr, new RegExp(`^(usage: )?${command[0]}\\b`))
      // The real su tells of a signal.
      else if (status < 128) assert.equal(ran.stderr, '')
    })
  }

  test(`${identity}: what su runs reads the input of su`, {skip}, async () => {
    const {runWith} = await dev()
    const ran = await runWith({input: 'id -un\nread line\nthe rest\necho "$line"\n'}, 'su', '-', 'dev')
    assert.equal(ran.stdout, 'dev\nthe rest\n')
  })

  test(`${identity}: a file that a user makes through su is that user's`, {skip}, async () => {
    const {sh} = await dev()
    const ran = await sh(`su dev -c 'cd && echo x >made && stat -c "%U %G" made'`)
    assert.equal(ran.stdout, 'dev dev\n')
  })

  test(`${identity}: a locale that is not installed is no news to su`, {skip}, async () => {
    const {runWith} = await dev()
    const ran = await runWith(
      {flags: ['-e', 'LANG=xx_YY.UTF-8']},
      'su',
      'dev',
      '-s',
      '/bin/sh',
      '-c',
      'echo $LANG',
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['xx_YY.UTF-8\n', ''])
  })
}

const emulated = guestWithDev('emulated')

for (const command of [
  ['su', '-c', 'id -u'],
  ['sudo', '-n', 'id', '-u'],
  ['sudo', '-u', 'games', 'id', '-u'],
  ['sudo', '-l'],
]) {
  test(`emulated: ${command.join(' ')} of a user says that users are emulated, and what to do`, async () => {
    const {runWith} = await emulated()
    const ran = await runWith({flags: ['--user', 'dev']}, ...command)
    assert.deepEqual([ran.status, ran.stdout], [1, ''])
    assert.match(
      ran.stderr,
      /users are emulated in this environment: a process of dev cannot become (root|games)/,
    )
    assert.match(ran.stderr, /envs run --user NAME/)
  })
}

test('emulated: a user may become the user it is', async () => {
  const {runWith} = await emulated()
  const ran = await runWith({flags: ['--user', 'dev']}, 'sudo', '-u', 'dev', 'su', 'dev', '-c', 'id -un')
  assert.deepEqual([ran.status, ran.stdout], [0, 'dev\n'])
})

test('emulated: a login on a terminal says that logind has no session of it, where logind runs', async () => {
  const guest = await emulated()
  const login = `envs run play su - dev -c 'echo in'`
  assert.equal((await onTerminal(guest, login)).screen, 'in\r\n')
  assert.equal((await guest.sh('mkdir -p /run/systemd/seats')).status, 0)
  assert.match(
    (await onTerminal(guest, login)).screen,
    /^su: users are emulated in this environment, so this login has no session of logind: .*\r\nsu: Use a unit of the system with User=dev; .*--identity mapped.*\r\nin\r\n$/,
  )
  const {stderr} = await guest.sh('su - dev -c true; rmdir /run/systemd/seats')
  assert.equal(stderr, '')
})

/** A program in the place of smtpd, which tells as whom and how it is started. */
const FALSE_SMTPD = `
mkdir -p /usr/lib/postfix/sbin /etc/postfix && cd /usr/lib/postfix/sbin
printf '#!/bin/sh\\necho $(id -un) "$@"\\n' >smtpd && chmod 755 smtpd && /usr/lib/envs/lay-shims
readlink smtpd; ./smtpd -n smtp -t inet; echo "mail_owner = games" >/etc/postfix/main.cf; ./smtpd -n smtp -t inet -u -c -o stress=`

test('emulated: smtpd of Postfix is the mail owner from its start, and keeps its root directory', async () => {
  const {sh} = await emulated()
  const {stdout} = await sh(FALSE_SMTPD)
  const expected = ['/usr/lib/envs/become', 'root -n smtp -t inet', 'games -n smtp -t inet -u -o stress=']
  assert.deepEqual(stdout.trim().split('\n'), expected)
})

const rootsGuest = process.getuid?.() === 0 && "the guest of the host's root may not write to /proc/sys"

test('emulated: where no namespace is to be had, su says that it stays root', {
  skip: rootsGuest,
}, async () => {
  const {sh} = await emulated()
  const limit = '/proc/sys/user/max_user_namespaces'
  const ran = await sh(`old=$(cat ${limit}); echo 0 >${limit}; su dev -c 'id -un'; echo $old >${limit}`)
  assert.equal(ran.stdout, 'root\n')
  assert.match(ran.stderr, /^su: could not change the user \(unshare: .*\): the program runs as root\.\n$/)
})

/** One environment with sudo and the user dev for the tests of this file. */
function guestWithDev(identity: 'emulated' | 'mapped'): () => Promise<Guest> {
  const play = sharedGuest(identity)
  let prepared: Promise<Guest> | undefined
  return () => {
    prepared ??= play().then(async (guest) => {
      const made = await guest.sh(WITH_SUDO_AND_DEV)
      assert.equal(made.status, 0, made.stderr)
      return guest
    })
    return prepared
  }
}
