import assert from 'node:assert/strict'
import {existsSync, readFileSync} from 'node:fs'
import {mkdir, writeFile} from 'node:fs/promises'
import {connect} from 'node:net'
import {join} from 'node:path'
import {test} from 'node:test'
import {type Booted, sharedBoot, whyNoCgroups} from '../../support/booted.js'
import {whyNotMapped} from '../../support/environment-cli.js'
import {waitUntil} from '../../support/wait-until.js'

const identity = (await whyNotMapped()) === undefined ? 'mapped' : 'emulated'
const kind = whyNoCgroups('real') === undefined ? 'real' : 'make-believe'
const skip = whyNoCgroups(kind) ?? false
const given = sharedBoot(kind, identity)

/** Says why it can't listen as nginx does; its child listens, its main process waits. */
const LISTEN = `#!/usr/bin/perl
use Socket;
my ($address, $port) = @ARGV;
socket(my $socket, AF_INET, SOCK_STREAM, 0) or die;
bind($socket, pack_sockaddr_in($port, inet_aton($address))) or die "bind() to $address:$port failed ($!)\\n";
listen($socket, 5);
if (fork) { close $socket; wait } else { sleep 1 while 1 }
`

const unit = (words: string, description = 'A listener') =>
  `[Unit]\nDescription=${description}\n[Service]\nExecStart=/usr/local/bin/listen ${words}\n[Install]\nWantedBy=multi-user.target\n`

type Row = {
  unit: string
  state: string
  result: string
  description: string
  isEnabled: boolean
  mainPid: number | null
  reason: string | null
  ports: {port: number; address: string}[]
}

async function put({cli}: Booted, path: string, text: string): Promise<void> {
  const {status, stderr} = await cli.runWith(
    {input: text},
    ...['run', 'guest', '--', 'sh', '-c', 'cat >"$1" && chmod 755 "$1"', 'sh', path],
  )
  assert.equal(status, 0, stderr)
}

async function rowOf({cli}: Booted, name: string): Promise<Row | undefined> {
  const {status, stdout, stderr} = await cli.run('services', 'guest', '--json')
  assert.equal(status, 0, stderr)
  const {services}: {services: Row[]} = JSON.parse(stdout)
  return services.find((row) => row.unit === name)
}

/** Resolves when something answers on a port. */
async function reach(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(void socket.destroy()))
    socket.once('error', reject)
  })
}

const firstFreePort = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))

test('a unit that systemd started is active, with the ports of its whole control group', {skip}, async () => {
  const guest = await given()
  await put(guest, '/usr/local/bin/listen', LISTEN)
  await put(guest, '/etc/systemd/system/listener.service', unit('127.0.0.1 0'))
  const started = await guest.cli.run('services', 'guest', 'start', 'listener')
  assert.equal(started.status, 0, started.stderr)
  let row = await rowOf(guest, 'listener.service')
  // A simple unit is active as soon as its process exists.
  while (row?.ports.length === 0) row = await rowOf(guest, 'listener.service')
  assert.deepEqual(
    [row?.state, row?.result, row?.description, row?.isEnabled, row?.reason],
    ['active', 'success', 'A listener', false, null],
  )
  const main = await guest.sh('systemctl show --property=MainPID --value listener')
  assert.equal(Number(main.stdout), row?.mainPid)
  await reach(row?.ports[0]?.port ?? 0)
})

// Emulated, all processes have the id of this user.
if (identity === 'mapped')
  test('a unit that runs as another user has the ports that its processes listen on', {skip}, async () => {
    const guest = await given()
    const text = unit('127.0.0.1 0').replace('[Service]', '[Service]\nUser=daemon')
    await put(guest, '/etc/systemd/system/of-daemon.service', text)
    const started = await guest.cli.run('services', 'guest', 'start', 'of-daemon')
    assert.equal(started.status, 0, started.stderr)
    const port = await waitUntil('the port of the unit', async () => {
      const row = await rowOf(guest, 'of-daemon.service')
      return row?.ports[0] ?? false
    })
    assert.equal(port.address, '127.0.0.1')
    await reach(port.port)
    assert.equal((await guest.cli.run('services', 'guest', 'stop', 'of-daemon')).status, 0)
  })

test('enable, stop and restart are those of systemctl', {skip}, async () => {
  const guest = await given()
  const enabled = await guest.cli.run('services', 'guest', 'enable', 'listener')
  assert.equal(enabled.status, 0)
  assert.match(enabled.stderr, /listener is enabled in guest, and active now\.\n$/)
  const ended = await guest.cli.run('services', 'guest', 'stop', 'listener')
  assert.deepEqual([ended.status, ended.stderr], [0, 'listener is inactive in guest.\n'])
  const stopped = await rowOf(guest, 'listener.service')
  assert.deepEqual([stopped?.state, stopped?.isEnabled, stopped?.ports], ['inactive', true, []])
  assert.equal((await guest.cli.run('services', 'guest', 'restart', 'listener')).status, 0)
  assert.equal((await rowOf(guest, 'listener.service'))?.state, 'active')
  const missing = await guest.cli.run('services', 'guest', 'start', 'missing')
  assert.equal(missing.status, 4)
  assert.match(missing.stderr, /^Failed to start missing\.service: Unit missing\.service not found\.$/m)
  assert.match(
    missing.stderr,
    /^envs: Could not start missing\.service in "guest": systemctl ended with status 5\.$/m,
  )
})

test('a unit that failed at a low port says so, with the ways out, and log prints its words', {
  skip: skip || (firstFreePort > 1023 ? false : 'this host lets every user listen below 1024'),
}, async () => {
  const guest = await given()
  await put(
    guest,
    '/etc/systemd/system/low.service',
    unit('0.0.0.0 81', '\\x1b[31mLow').replace('[Service]', '[Service]\nType=oneshot'),
  )
  const started = await guest.cli.run('services', 'guest', 'start', 'low')
  assert.equal(started.status, 4)
  assert.match(started.stderr, /^ {2}port 81 is below \d+ and for the host's root alone: /m)
  const row = await rowOf(guest, 'low.service')
  assert.deepEqual([row?.state, row?.result], ['failed', 'exit-code'])
  assert.match(row?.reason ?? '', /^port 81 is below \d+/)
  const log = await guest.cli.run('services', 'guest', 'log', 'low')
  assert.match(log.stdout, /bind\(\) to 0\.0\.0\.0:81 failed \(Permission denied\)$/m)
})

test('a package that is installed while systemd runs starts its service', {skip}, async () => {
  const guest = await given()
  const made = await guest.sh(`mkdir -p /build/DEBIAN /build/usr/lib/systemd/system
    printf 'Package: packed\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody\\nDescription: x\\n' >/build/DEBIAN/control
    printf '#!/bin/sh\\ndeb-systemd-helper enable packed.service\\nsystemctl daemon-reload\\ndeb-systemd-invoke start packed.service\\n' >/build/DEBIAN/postinst
    chmod 755 /build/DEBIAN/postinst
    sed 's/A listener/Packed/' /etc/systemd/system/listener.service >/build/usr/lib/systemd/system/packed.service
    dpkg-deb --build --root-owner-group /build /packed.deb >/dev/null`)
  assert.equal(made.status, 0, made.stderr)
  const installed = await guest.sh('apt-get -qq install /packed.deb 2>&1')
  assert.equal(installed.status, 0, installed.stdout)
  assert.doesNotMatch(installed.stdout, /not started/)
  const row = await rowOf(guest, 'packed.service')
  assert.deepEqual([row?.state, row?.isEnabled, row?.description], ['active', true, 'Packed'])
})

test('a systemctl that a guest replaced is not believed: nothing of it reaches the terminal raw', {
  skip,
}, async () => {
  const guest = await given()
  await put(
    guest,
    '/usr/local/sbin/systemctl',
    '#!/bin/sh\nprintf "Id=../x\\n\\n\\033]0;title\\007\\n"; echo "\\033[2Jgone" >&2; exit 3\n',
  )
  try {
    const {status, stdout, stderr} = await guest.cli.run('services', 'guest')
    assert.deepEqual([status, stdout], [4, ''])
    assert.match(stderr, /^envs: Could not ask the init of "guest" by systemctl show: \\e\[2Jgone\.$/m)
    assert.equal(stderr.includes('\x1b'), false)
  } finally {
    await guest.sh('rm /usr/local/sbin/systemctl')
  }
})

test('a service that is killed starts again, where its unit says so', {skip}, async () => {
  const guest = await given()
  const text = unit('127.0.0.1 0').replace('[Install]', 'Restart=on-failure\nRestartSec=0\n[Install]')
  await put(guest, '/etc/systemd/system/again.service', text)
  assert.equal((await guest.cli.run('services', 'guest', 'start', 'again')).status, 0)
  const first = await rowOf(guest, 'again.service')
  assert.equal((await guest.sh(`kill -KILL ${first?.mainPid}`)).status, 0)
  const second = await waitUntil('another main process', async () => {
    const row = await rowOf(guest, 'again.service')
    return row?.state === 'active' && row.mainPid !== first?.mainPid && row
  })
  assert.notEqual(second.mainPid, null)
  assert.equal((await guest.sh('systemctl show -p NRestarts --value again')).stdout, '1\n')
  assert.equal((await guest.cli.run('services', 'guest', 'stop', 'again')).status, 0)
})

test('no process of the guest has a descriptor of the host', {skip}, async () => {
  const guest = await given()
  const listed = await guest.sh('for fd in /proc/[0-9]*/fd/*; do readlink "$fd"; done')
  const targets = listed.stdout.split('\n').filter((target) => target !== '')
  assert.ok(targets.length > 20, listed.stdout)
  const isOfHost = (target: string) =>
    target.startsWith(guest.cli.home) || /fuse|console\.log|anchor|boot\.json/.test(target)
  assert.deepEqual(targets.filter(isOfHost), [])
})

test('poweroff ends the guest with 0, and it stays down until somebody starts it', {skip}, async () => {
  const guest = await given()
  await guest.sh('systemctl poweroff')
  assert.equal(await guest.ended(), 0)
  assert.equal(JSON.parse((await guest.cli.run('show', 'guest', '--json')).stdout).state, 'stopped')
  assert.equal((await guest.sh('systemctl is-system-running')).stdout, 'running\n')
})

/** A crontab(1) whose crontab is a file, and no user manager. */
const STARTERS = {
  crontab: `case $1 in -l) cat "$HOME/crontab" ;; -) cat >"$HOME/crontab" ;; *) exit 2 ;; esac`,
  systemctl: 'exit 1',
}

test('a clone and an import of one that starts with the host are stopped, have ids of their own, and start with nothing', {
  skip,
}, async (t) => {
  const {cli, sh} = await given()
  t.after(() => cli.run('rm', '--force', 'cloned', 'imported'))
  const folder = join(cli.home, 'starters')
  await mkdir(folder)
  for (const [name, script] of Object.entries(STARTERS))
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, {mode: 0o755})
  const env = {PATH: `${folder}:${cli.env['PATH']}`}
  const envs = async (...argv: string[]): Promise<string> => {
    const {status, stdout, stderr} = await cli.runWith({env}, ...argv)
    assert.equal(status, 0, stderr)
    return stdout
  }
  const idOf = async (name: string) => (await envs('run', name, 'cat', '/etc/machine-id')).trim()
  await envs('autostart', 'guest', 'on')
  const own = await idOf('guest')
  await envs('clone', 'guest', 'cloned', '--quiet')
  // An export is of one that is stopped; the guest that was asked for continues.
  for (const format of ['tar', 'oci']) {
    const file = join(cli.home, 'refused.tar')
    const refused = await cli.run('export', 'guest', '--format', format, '-o', file, '--json')
    assert.deepEqual([refused.status, JSON.parse(refused.stdout).error.code], [4, 'ENVS_RUNNING'], format)
    assert.equal(existsSync(file), false)
  }
  assert.equal((await sh('systemctl is-system-running')).stdout, 'running\n')
  await envs('stop', 'guest')
  await envs('export', 'guest', '-o', join(cli.home, 'guest.tar'), '--quiet')
  await envs('import', join(cli.home, 'guest.tar'), '-n', 'imported', '--quiet')
  const started = await Promise.all(
    ['guest', 'cloned', 'imported'].map(async (name) => {
      const {state, init} = JSON.parse(await envs('show', name, '--json'))
      const {autostart} = JSON.parse(await envs('autostart', name, '--json'))
      return {name, state, init, autostart}
    }),
  )
  // A tarball has no settings.
  assert.deepEqual(started, [
    {name: 'guest', state: 'stopped', init: 'systemd', autostart: 'crontab'},
    {name: 'cloned', state: 'stopped', init: 'systemd', autostart: null},
    {name: 'imported', state: 'stopped', init: 'none', autostart: null},
  ])
  const ids = [own, await idOf('cloned'), await idOf('imported')]
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/)
  assert.equal(await envs('run', 'cloned', 'systemctl', 'is-system-running'), 'running\n')
  assert.equal(new Set(ids).size, 3)
  await envs('autostart', 'guest', 'off')
  assert.equal((await sh('systemctl is-system-running')).status, 0)
})

/** Each of pgbench's transactions adds one number to an account, a teller and a branch, and notes it in the history. */
const SUMS = `select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),
  (select sum(bbalance) from pgbench_branches), (select sum(delta) from pgbench_history), (select count(*) from pgbench_history)`

test('a database that is written to while a snapshot is taken recovers from it, and is consistent', {
  skip,
}, async () => {
  const {cli, sh} = await given()
  const installed = await sh(`set -e
    mkdir -p /etc/postgresql-common/createcluster.d
    # Not on the network, which is the host's.
    echo "listen_addresses = ''" >/etc/postgresql-common/createcluster.d/local.conf
    apt-get -qq update && apt-get -qq install -y --no-install-recommends postgresql >/dev/null 2>&1
    su postgres -c 'createdb bench && pgbench -q -i -s 1 bench' 2>&1
    systemd-run --quiet --unit=bench --property=User=postgres pgbench -n -c 4 -T 600 bench`)
  assert.equal(installed.status, 0, installed.stdout + installed.stderr)
  const ask = (query: string) => sh(`su postgres -c 'psql -AtF " " bench' <<'END'\n${query}\nEND`)
  await waitUntil(
    'transactions',
    async () => Number((await ask('select count(*) from pgbench_history')).stdout) > 200,
  )
  const taken = await cli.run('snapshot', 'guest', 'under-load')
  assert.equal(taken.status, 0, taken.stderr)
  const restored = await cli.run('restore', 'guest', 'under-load', '--force')
  assert.equal(restored.status, 0, restored.stderr)
  await waitUntil('the database', async () => (await sh('su postgres -c pg_isready')).status === 0)
  const [accounts, tellers, branches, history, count] = (await ask(SUMS)).stdout.trim().split(' ').map(Number)
  assert.deepEqual([tellers, branches, history], [accounts, accounts, accounts])
  assert.ok((count ?? 0) > 200, `${count}`)
  const {stdout} = await sh("grep -c 'automatic recovery in progress' /var/log/postgresql/*.log")
  assert.equal(stdout, '1\n')
})
