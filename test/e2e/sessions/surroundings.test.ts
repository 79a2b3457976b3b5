import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'

/** What `env -0` printed. */
function parseVariables(text: string): Record<string, string> {
  const entries = text.split('\0').slice(0, -1)
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  )
}

const OWN = {
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
  SHELL: '/bin/bash',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
  container: 'envs',
  ENVS_NAME: 'play',
  debian_chroot: 'play',
}

const PASSED_ON = {
  TERM: 'xterm-256color',
  COLORTERM: 'truecolor',
  TZ: 'Europe/Berlin',
  http_proxy: 'http://127.0.0.1:9/',
  HTTPS_PROXY: 'http://user:pass@127.0.0.1:9/',
  no_proxy: 'localhost,.example',
}

const KEPT_BACK = {
  AWS_SECRET_ACCESS_KEY: 'secret',
  SSH_AUTH_SOCK: '/tmp/agent',
  DISPLAY: ':0',
  LD_PRELOAD: '',
  PERL5LIB: '/no/such',
  LC_ALL: 'C',
  ENVS_QUIET: '1',
  BASH_ENV: '/no/such',
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: the guest has these variables and no other`, {skip}, async () => {
    const {run} = await play()
    assert.deepEqual(parseVariables((await run('env', '-0')).stdout), OWN)
  })

  test(`${identity}: of the host's variables only the named ones get in`, {skip}, async () => {
    const {runWith} = await play()
    const ran = await runWith({env: {...PASSED_ON, ...KEPT_BACK}}, 'env', '-0')
    assert.deepEqual(parseVariables(ran.stdout), {...OWN, ...PASSED_ON})
  })

  for (const [what, flag, name, value] of [
    ['a value', 'A=b', 'A', 'b'],
    ['a value with equals signs', 'A==b=c=', 'A', '=b=c='],
    ['a value of several lines', 'A=one\ntwo\n', 'A', 'one\ntwo\n'],
    ['an empty value', 'A=', 'A', ''],
    ["the host's value", 'FROM_HOST', 'FROM_HOST', 'a value'],
    ['another PATH', 'PATH=/bin', 'PATH', '/bin'],
    ['another HOME', 'HOME=/tmp', 'HOME', '/tmp'],
    ["the guest's loader's own", 'LD_LIBRARY_PATH=/no/such', 'LD_LIBRARY_PATH', '/no/such'],
    ["the guest's Perl's own", 'PERL5OPT=-Mno_such', 'PERL5OPT', '-Mno_such'],
  ] as const) {
    test(`${identity}: --env sets ${what}`, {skip}, async () => {
      const {runWith} = await play()
      const ran = await runWith({flags: ['--env', flag], env: {FROM_HOST: 'a value'}}, '/usr/bin/env', '-0')
      assert.equal(ran.stderr, '')
      assert.equal(parseVariables(ran.stdout)[name], value)
    })
  }

  test(`${identity}: of two --env of one name the last holds`, {skip}, async () => {
    const {runWith} = await play()
    const ran = await runWith({flags: ['-e', 'A=1', '-e', 'B=2', '-e', 'A=3']}, 'sh', '-c', 'echo $A $B')
    assert.equal(ran.stdout, '3 2\n')
  })

  for (const umask of ['000', '077']) {
    test(`${identity}: the umask is 0022 under a caller with ${umask}`, {skip}, async () => {
      const {onHost} = await play()
      assert.equal((await onHost(`umask ${umask}; envs run play sh -c umask`)).stdout, '0022\n')
    })
  }

  test(`${identity}: a command starts in the home folder`, {skip}, async () => {
    assert.equal((await (await play()).run('pwd')).stdout, '/root\n')
  })

  test(`${identity}: --workdir is where a command starts`, {skip}, async () => {
    const {runWith} = await play()
    assert.equal((await runWith({flags: ['--workdir', '/usr/share']}, 'pwd')).stdout, '/usr/share\n')
  })

  test(`${identity}: a command starts in / when the home folder is gone`, {skip}, async (t) => {
    const own = await ownGuest(t, identity)
    await own.sh('cd / && rm -rf /root')
    assert.equal((await own.run('pwd')).stdout, '/\n')
  })

  test(`${identity}: the working folder of the host is not followed into the guest`, {skip}, async () => {
    const {cli, onHost} = await play()
    await mkdir(join(cli.home, 'work'), {recursive: true})
    await writeFile(join(cli.home, 'work', 'file'), '')
    const ran = await onHost('cd work && envs run play sh -c "pwd; ls"')
    assert.equal(ran.stdout, '/root\n')
  })

  test(`${identity}: the hostname is the environment's name`, {skip}, async () => {
    const {sh} = await play()
    assert.equal((await sh('hostname 2>/dev/null || cat /proc/sys/kernel/hostname')).stdout, 'play\n')
  })

  test(`${identity}: /dev/shm is for everybody and /sys is not for writing`, {skip}, async () => {
    const {sh} = await play()
    const ran = await sh(
      'stat -c %a /dev/shm; awk \'$2 == "/sys" {print substr($4, 1, 2)}\' /proc/self/mounts; ls /dev/pts',
    )
    assert.equal(ran.stdout, '1777\nro\nptmx\n')
  })

  test(`${identity}: the resolver's settings are the host's`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost('envs run play cat /etc/resolv.conf | cmp - /etc/resolv.conf && echo same')
    assert.equal(ran.stdout, 'same\n')
  })
}
