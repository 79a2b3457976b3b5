import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readFileSync} from 'node:fs'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {runCli} from '../../support/cli.js'
import {type EnvironmentCli, environmentCli, whyNotMapped} from '../../support/environment-cli.js'
import {ownGuest} from '../../support/guest.js'
import {onRestrictedHost} from '../../support/restricted-host.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {logIn, WHY_NO_MANAGER} from '../../support/user-manager.js'
import {waitUntil} from '../../support/wait-until.js'

/** A crontab(1) whose crontab is a file. */
const CRONTAB = `case $1 in -l) cat "$HOME/crontab" ;; -) cat >"$HOME/crontab" ;; *) exit 2 ;; esac`
/** Writes down what it is asked, and answers as a manager that runs. */
const MANAGER = `echo "systemctl $*" >>"$HOME/asked"`
const LOGIND = `echo "loginctl $*" >>"$HOME/asked"
case $1 in show-user) [ -e "$HOME/lingers" ] && echo yes || echo no ;; enable-linger) : >"$HOME/lingers" ;; esac`

type AutostartHost = {
  readonly cli: EnvironmentCli
  /** `envs autostart play …` */
  autostart(...argv: string[]): Promise<{status: number | null; stdout: string; stderr: string}>
  /** What the manager and logind were asked to change. */
  asked(): string[]
}

/** A host with these programs alone, of those that start something at its boot; play is an environment with an init. */
async function hostWith(t: TestContext, programs: Readonly<Record<string, string>>): Promise<AutostartHost> {
  const cli = await environmentCli(t)
  const folder = join(cli.home, 'programs')
  // The real one of the machine would change the crontab of the user who runs the tests.
  const behind = 'crontab' in programs ? [] : onRestrictedHost({without: ['crontab']})
  await mkdir(folder)
  // Those of the machine that runs the test come later in PATH.
  const none = {systemctl: 'exit 1', loginctl: 'exit 1'}
  for (const [name, script] of Object.entries({...none, ...programs}))
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, {mode: 0o755})
  const rootfs = await runnableRootfs(cli.home)
  const made = await cli.run('create', rootfs, '--name', 'play', '--init', 'services', '--quiet')
  assert.equal(made.status, 0, made.stderr)
  const env = {PATH: `${folder}:${cli.env['PATH']}`}
  return {
    cli,
    autostart: (...argv) =>
      runCli([...behind, ...cli.words, 'autostart', 'play', ...argv], {...cli, options: {env}}),
    asked: () =>
      readFileSync(join(cli.home, 'asked'), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !/ show/.test(line)),
  }
}

test('with a user manager, a unit starts the environment, and lingering is asked for only by a flag', async (t) => {
  const {cli, autostart, asked} = await hostWith(t, {systemctl: MANAGER, loginctl: LOGIND})
  const unit = join(cli.home, 'config/systemd/user/envs@play.service')
  const on = await autostart('on')
  assert.equal(on.status, 0, on.stderr)
  assert.equal(on.stdout, 'play starts when you log in: envs@play.service of your user manager.\n')
  assert.match(on.stderr, /envs autostart play on --linger/)
  const text = readFileSync(unit, 'utf8')
  assert.match(
    text,
    /^ExecStart=".*perl" ".*\/templates\/host\/attend\.pl" ".*\/bin\/envs" "play" ".*\/play\/run"$/m,
  )
  assert.match(text, new RegExp(`^Environment="XDG_DATA_HOME=${cli.env['XDG_DATA_HOME']}"$`, 'm'))
  const changes = ['systemctl --user daemon-reload', 'systemctl --user enable envs@play.service']
  assert.deepEqual(asked(), changes)
  const lingering = await autostart('on', '--linger', '--json')
  assert.deepEqual(JSON.parse(lingering.stdout), {name: 'play', autostart: 'systemd', lingers: true})
  assert.deepEqual(asked(), [...changes, ...changes, 'loginctl enable-linger'])
  const off = await autostart('off')
  assert.equal(off.status, 0, off.stderr)
  assert.equal(existsSync(unit), false)
  assert.deepEqual(asked().slice(-2), [
    'systemctl --user disable envs@play.service',
    'systemctl --user daemon-reload',
  ])
  const shown = await autostart('--json')
  assert.deepEqual(JSON.parse(shown.stdout), {name: 'play', autostart: null, lingers: null})
})

test('without a user manager, a line of the crontab starts the environment, and other lines stay', async (t) => {
  const {cli, autostart} = await hostWith(t, {crontab: CRONTAB})
  const crontab = join(cli.home, 'crontab')
  await writeFile(crontab, '# mine\n')
  const on = await autostart('on', '--json')
  assert.deepEqual(
    [on.status, JSON.parse(on.stdout)],
    [0, {name: 'play', autostart: 'crontab', lingers: null}],
  )
  const [first, line = '', ...rest] = readFileSync(crontab, 'utf8').split('\n')
  assert.deepEqual([first, rest], ['# mine', ['']])
  assert.match(
    line,
    /^@reboot .* XDG_DATA_HOME='.*' .*\/bin\/envs' start --quiet play .*# envs autostart play$/,
  )
  assert.equal((await autostart('off')).status, 0)
  assert.equal(readFileSync(crontab, 'utf8'), '# mine\n')
})

const UNIT = 'envs@play.service'

const [CRON, CRONTAB_PROGRAM] = ['/usr/sbin/cron', '/usr/bin/crontab']
const whyNoCron = [CRON, CRONTAB_PROGRAM].every((path) => existsSync(path))
  ? ((await whyNotMapped()) ?? false)
  : 'this host has no cron'

/**
 * A host that has just booted: root is an id of this user's range, no crontab is there, and /run is empty. Its cron has no /etc/shadow to
 * read, so PAM has to permit all accounts.
 */
const BOOT = `mount -t tmpfs tmpfs /var/spool/cron
mkdir -m 1777 /var/spool/cron/crontabs
mount -t tmpfs tmpfs /run
printf 'account required pam_permit.so\\nsession required pam_permit.so\\n' >/run/pam
mount --bind /run/pam /etc/pam.d/cron
setpriv --reuid "$1" --regid "$2" --clear-groups -- sh -c 'shift 2; out=$1; shift; exec "$@" >"$out"' sh "$@"
exec ${CRON} -f`

test('cron starts the environment at the boot of the host, from the line that crontab(1) wrote', {
  skip: whyNoCron,
}, async (t) => {
  const {cli} = await ownGuest(t, 'emulated')
  assert.equal((await cli.run('set', 'play', 'init=services')).status, 0)
  assert.equal((await cli.run('stop', 'play')).status, 0)
  const isRunning = async () =>
    JSON.parse((await cli.run('show', 'play', '--json')).stdout).state === 'running'
  assert.equal(await isRunning(), false)
  const [uid, gid] = [String(process.getuid?.()), String(process.getgid?.())]
  const result = join(cli.home, 'result.json')
  const ids = [`--map-user=${uid}`, `--map-group=${gid}`, '--setuid=0', '--setgid=0']
  const words = [uid, gid, result, ...cli.words, 'autostart', 'play', 'on', '--json']
  const host = spawn('unshare', ['--map-auto', ...ids, '--mount', '--', 'sh', '-ec', BOOT, 'sh', ...words], {
    ...{cwd: cli.home, env: cli.env},
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const end = once(host, 'exit')
  try {
    await waitUntil('cron to start the environment', async () => {
      assert.equal(host.exitCode, null, 'cron has ended')
      return isRunning()
    })
  } finally {
    host.kill()
    await end
  }
  assert.deepEqual(JSON.parse(readFileSync(result, 'utf8')), {
    ...{name: 'play', autostart: 'crontab', lingers: null},
  })
  const asked = await cli.run('run', 'play', '--', 'systemctl', 'is-system-running', '--wait')
  assert.equal(asked.stdout, 'running\n', asked.stderr)
})

test('a real user manager starts the environment at each login, starts it again when it was killed, and stops it at the logout', {
  skip: WHY_NO_MANAGER,
}, async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const {cli} = guest
  assert.equal((await cli.run('set', 'play', 'init=services')).status, 0)
  assert.equal((await cli.run('stop', 'play')).status, 0)
  const before = await logIn(cli)
  try {
    const on = await cli.run('autostart', 'play', 'on', '--json')
    assert.deepEqual([on.status, JSON.parse(on.stdout).autostart], [0, 'systemd'], on.stderr)
    assert.equal(await before.ask('is-enabled', UNIT), 'enabled')
    assert.equal(readLiveAnchor(guest.state), undefined)
  } finally {
    await before.logOut()
  }
  const manager = await logIn(cli)
  try {
    const first = await waitUntil('the environment', () => readLiveAnchor(guest.state))
    assert.equal(await manager.ask('show', '--property=SubState', '--value', UNIT), 'running')
    const asked = await cli.run('run', 'play', '--', 'systemctl', 'is-system-running', '--wait')
    assert.equal(asked.stdout, 'running\n', asked.stderr)
    // As when the group of the unit is taken away: everything in it ends at once.
    await manager.ask('kill', '--signal=KILL', UNIT)
    const second = await waitUntil('another first process', () => {
      const found = readLiveAnchor(guest.state)
      return found?.pid !== first.pid && found
    })
    assert.equal(await manager.ask('show', '--property=NRestarts', '--value', UNIT), '1')
    assert.notEqual(second.pid, first.pid)
  } finally {
    await manager.logOut()
  }
  assert.equal(readLiveAnchor(guest.state), undefined)
})

test('a host with neither, and an environment without an init, are told', async (t) => {
  const {cli, autostart} = await hostWith(t, {})
  const refused = await autostart('on', '--json')
  assert.deepEqual([refused.status, JSON.parse(refused.stdout).error.code], [7, 'ENVS_NO_AUTOSTART'])
  assert.equal((await cli.run('set', 'play', 'init=none')).status, 0)
  for (const argv of [
    ['autostart', 'play', 'on'],
    ['start', 'play'],
    ['restart', 'play'],
  ]) {
    const none = await cli.run(...argv, '--json')
    assert.deepEqual([none.status, JSON.parse(none.stdout).error.code], [4, 'ENVS_NO_INIT'])
  }
})

test('a host that refuses to linger has the unit nevertheless, and the message says whom to ask', async (t) => {
  const refusing = 'echo "Could not enable linger: Access denied." >&2; exit 1'
  const {cli, autostart} = await hostWith(t, {systemctl: MANAGER, loginctl: refusing})
  const on = await autostart('on', '--linger', '--json')
  assert.deepEqual([on.status, JSON.parse(on.stdout).error.code], [7, 'ENVS_LINGER_REFUSED'])
  assert.match(
    JSON.parse(on.stdout).error.message,
    /logind refuses: Could not enable linger: Access denied\.$/,
  )
  assert.equal(existsSync(join(cli.home, 'config/systemd/user/envs@play.service')), true)
})
