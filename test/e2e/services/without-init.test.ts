import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {createServer} from 'node:http'
import {type AddressInfo, connect} from 'node:net'
import {test} from 'node:test'
import {type Guest, IDENTITIES, putProgram, sharedGuest} from '../../support/guest.js'
import {waitUntil} from '../../support/wait-until.js'

/** Listens on an address until it is killed; says why it can't as nginx does. */
const LISTEN = `#!/usr/bin/perl
use Socket;
my ($address, $port) = @ARGV;
socket(my $socket, AF_INET, SOCK_STREAM, 0) or die;
bind($socket, pack_sockaddr_in($port, inet_aton($address))) or die "bind() to $address:$port failed ($!)\\n";
listen($socket, 5);
sleep 1 while 1;
`

/** An init script as packages have it. */
const DETACHED = `#!/bin/sh
### BEGIN INIT INFO
# Provides: listener
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: A listener
### END INIT INFO
case $1 in
start) start-stop-daemon --start --background --make-pidfile --pidfile /run/$(basename $0).pid --exec /usr/local/bin/listen -- 127.0.0.1 0 ;;
stop) start-stop-daemon --stop --pidfile /run/$(basename $0).pid --retry 5 --remove-pidfile ;;
restart) $0 stop; $0 start ;;
esac
`

/** As {@link DETACHED}, for a program that runs as another user than root, on this port. */
const ofDaemon = (port: number) =>
  DETACHED.replaceAll('/usr/local/bin/listen', '/usr/local/bin/listen-as-daemon')
    .replace('127.0.0.1 0', `127.0.0.1 ${port}`)
    .replace('--start', '--start --chuid daemon')

/** An init script whose program stays in the foreground. */
const foreground = (address: string) => `#!/bin/sh\nexec /usr/local/bin/listen ${address}\n`

type Row = {unit: string; state: string; mainPid: number | null; ports: {port: number; address: string}[]}

async function rowOf({cli}: Guest, unit: string, name = 'play'): Promise<Row | undefined> {
  const {stdout} = await cli.run('services', name, '--json')
  const {services}: {services: Row[]} = JSON.parse(stdout)
  return services.find((row) => row.unit === unit)
}

/** Resolves when something answers on a port. */
async function reach(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}

const firstFreePort = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)
  let prepared: Promise<void> | undefined
  const prepare = async () => {
    const guest = await play()
    prepared ??= (async () => {
      await guest.run('mkdir', '-p', '/etc/init.d')
      await putProgram(guest, '/usr/local/bin/listen', LISTEN)
      await putProgram(guest, '/etc/init.d/listener', DETACHED)
    })()
    await prepared
    return guest
  }

  test(`${identity}: a started service is active, with its main process and the ports it listens on`, {
    skip,
  }, async () => {
    const guest = await prepare()
    const started = await guest.cli.run('services', 'play', 'start', 'listener')
    assert.equal(started.status, 0, started.stderr)
    assert.match(started.stderr, /^listener is active in play(, ports \d+)?\.\n$/)
    let row = await rowOf(guest, 'listener.service')
    // The script returns before the listener listens.
    while (row?.ports.length === 0) row = await rowOf(guest, 'listener.service')
    assert.equal(row?.state, 'active')
    const [{port, address} = {port: 0, address: ''}] = row?.ports ?? []
    assert.equal(address, '127.0.0.1')
    await reach(port)
    const main = await guest.run('cat', '/run/listener.pid')
    assert.equal(Number(main.stdout), row?.mainPid)

    const stopped = await guest.cli.run('services', 'play', 'stop', 'listener')
    assert.deepEqual([stopped.status, stopped.stderr], [0, 'listener is inactive in play.\n'])
    assert.equal(await rowOf(guest, 'listener.service'), undefined)
    await assert.rejects(reach(port))
  })

  test(`${identity}: a port below the first one for users fails with the ways out`, {
    skip: skip || (firstFreePort > 1023 ? false : 'this host lets every user listen below 1024'),
  }, async () => {
    const guest = await prepare()
    await putProgram(guest, '/etc/init.d/privileged', foreground('0.0.0.0 81'))
    const {status, stderr} = await guest.cli.run('services', 'play', 'start', 'privileged')
    assert.equal(status, 4, stderr)
    assert.match(stderr, /^bind\(\) to 0\.0\.0\.0:81 failed \(Permission denied\)$/m)
    assert.match(
      stderr,
      /^envs: Could not start privileged\.service in "play": an init script ended with status \d+\.$/m,
    )
    assert.match(
      stderr,
      /port 81 is below \d+ and for the host's root alone: .*ip_unprivileged_port_start=81/,
    )
  })

  test(`${identity}: a port that another program has fails with its name`, {skip}, async (t) => {
    const guest = await prepare()
    const server = createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const {port} = server.address() as AddressInfo
    await putProgram(guest, '/etc/init.d/taken', foreground(`127.0.0.1 ${port}`))
    const {status, stderr} = await guest.cli.run('services', 'play', 'start', 'taken')
    assert.equal(status, 4, stderr)
    assert.match(stderr, new RegExp(`another program listens on port ${port}: `))
  })

  test(`${identity}: a port that another environment has fails with the name of that one`, {
    skip,
  }, async (t) => {
    const guest = await prepare()
    t.after(() => guest.cli.run('rm', '--force', '--now', 'other').then(() => {}))
    const cloned = await guest.cli.run('clone', 'play', 'other')
    assert.equal(cloned.status, 0, cloned.stderr)
    assert.equal((await guest.cli.run('services', 'other', 'start', 'listener')).status, 0)
    let row = await rowOf(guest, 'listener.service', 'other')
    while (row?.ports.length === 0) row = await rowOf(guest, 'listener.service', 'other')
    const port = row?.ports[0]?.port
    await putProgram(guest, '/etc/init.d/shared', foreground(`127.0.0.1 ${port}`))
    const {status, stderr} = await guest.cli.run('services', 'play', 'start', 'shared')
    assert.equal(status, 4, stderr)
    assert.match(stderr, new RegExp(`environment "other" listens on port ${port}: .*envs stop other`))
  })

  // Emulated, all processes have the id of this user.
  if (identity === 'mapped')
    test(`${identity}: a service that runs as another user is active with its ports, which another environment can't have`, {
      skip,
    }, async (t) => {
      const guest = await prepare()
      await putProgram(guest, '/usr/local/bin/listen-as-daemon', LISTEN)
      await putProgram(guest, '/etc/init.d/of-daemon', ofDaemon(0))
      t.after(() => guest.cli.run('rm', '--force', '--now', 'daemons').then(() => {}))
      assert.equal((await guest.cli.run('clone', 'play', 'daemons')).status, 0)
      const started = await guest.cli.run('services', 'daemons', 'start', 'of-daemon')
      assert.equal(started.status, 0, started.stderr)
      const row = await waitUntil('the port of the service', async () => {
        const found = await rowOf(guest, 'of-daemon.service', 'daemons')
        return found !== undefined && found.ports.length > 0 && found
      })
      const [{port, address} = {port: 0, address: ''}] = row.ports
      assert.deepEqual([row.state, address], ['active', '127.0.0.1'])
      await reach(port)
      await putProgram(guest, '/etc/init.d/second', foreground(`127.0.0.1 ${port}`))
      const {status, stderr} = await guest.cli.run('services', 'play', 'start', 'second')
      assert.equal(status, 4, stderr)
      assert.match(stderr, new RegExp(`environment "daemons" listens on port ${port}: .*envs stop daemons`))
    })

  test(`${identity}: what can't be started is refused with the next step`, {skip}, async () => {
    const guest = await prepare()
    const unit =
      '[Unit]\\nDescription=Alone\\n[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n'
    await guest.sh(`mkdir -p /etc/systemd/system; printf '${unit}' >/etc/systemd/system/alone.service`)
    const alone = await guest.cli.run('services', 'play', 'start', 'alone', '--json')
    assert.equal(alone.status, 4)
    assert.deepEqual(JSON.parse(alone.stdout).error.code, 'ENVS_SERVICE_NEEDS_INIT')
    for (const name of ['missing', '../../bin/sh', '-x']) {
      const {status, stdout} = await guest.cli.run('services', 'play', '--json', 'start', '--', name)
      assert.deepEqual([status, JSON.parse(stdout).error.code], [3, 'ENVS_SERVICE_NOT_FOUND'], name)
    }
    const none = await guest.cli.run('services', 'play', 'start')
    assert.equal(none.status, 2)
  })

  test(`${identity}: enable and disable change the links that an init follows`, {skip}, async () => {
    const guest = await prepare()
    const wanted =
      'ls /etc/systemd/system/multi-user.target.wants /etc/rc2.d | grep -E "alone|S[0-9]+listener"'
    const enabled = await guest.cli.run('services', 'play', 'enable', 'alone', 'listener')
    assert.deepEqual(
      [enabled.status, enabled.stderr],
      [0, 'alone is enabled in play, and inactive now.\nlistener is enabled in play, and inactive now.\n'],
    )
    assert.match((await guest.sh(wanted)).stdout, /^S\d+listener\nalone\.service\n$/)
    const disabled = await guest.cli.run('services', 'play', 'disable', 'alone', 'listener')
    assert.equal(disabled.status, 0, disabled.stderr)
    assert.equal((await guest.sh(wanted)).stdout, '')
  })
}
