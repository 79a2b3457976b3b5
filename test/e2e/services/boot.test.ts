import assert from 'node:assert/strict'
import {once} from 'node:events'
import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {processStartTime} from '../../../src/host/machine/proc.js'
import {templatePath} from '../../../src/host/paths.js'
import {capture} from '../../../src/host/process.js'
import {type Booted, sharedBoot, whyNoCgroups} from '../../support/booted.js'
import {whyNotMapped} from '../../support/environment-cli.js'
import {onTerminal} from '../../support/guest-terminal.js'
import {slowSnapshot} from '../../support/slow-snapshot.js'
import {waitUntil} from '../../support/wait-until.js'

const identity = (await whyNotMapped()) === undefined ? 'mapped' : 'emulated'

/** What a login has on a machine: a session of logind, and a user manager that starts units. */
const LOGIN = `set -e
mkdir -p ~/.config/systemd/user
echo "[Service]
ExecStart=/bin/sleep 600" >~/.config/systemd/user/probe.service
loginctl show-session "$XDG_SESSION_ID" -p Name -p Scope -p Type -p State
systemctl --user daemon-reload
systemctl --user start probe
systemctl --user is-active probe
systemctl --user is-system-running
systemctl --user stop probe
systemd-run --quiet --user --scope echo a scope`

/** Opens a file of the hierarchy, which perl closes as it executes another program, while another process has the groups counted. */
const CLOSED_BY_EXEC = `
my $file = "/sys/fs/cgroup" . (split /::|\n/, \`tail -n 1 /proc/1/cgroup\`)[1] . "/cgroup.events";
-e $file or die $file;
my $reader = fork // die;
while ($reader == 0) { open(my $events, "<", $file) or die; sysread $events, my $text, 100 }
for (1 .. 300) { my $child = fork // die; if ($child == 0) { open(my $events, "<", $file) or die; exec "true" } waitpid $child, 0 }
kill 9, $reader; print "done\n"`

/** Prints the group of this process, after the user manager was asked to move it, as it is for a session from a login of the host. */
const ATTACH = `
require "/user-manager.pl";
my $bus = connect_to_manager("/run/user/$<") or die "no manager";
attach_by_manager($bus, "holder.service", "/leaf", $$) or die "refused";
open(my $file, "<", "/proc/$$/cgroup"); print grep { /^0::/ } <$file>;`

const HOLDER = `set -e
systemd-run --user --quiet --unit=holder --property=Delegate=yes sleep 600
mkdir "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(systemctl --user show --property=MainPID --value holder)/cgroup")/leaf"
perl /attach.pl
systemctl --user stop holder`

/** Tells systemd that its unit is ready, as the helper of a service's main process does, and waits for the end of the unit. */
const HELPER = `use Socket;
socket(my $systemd, AF_UNIX, SOCK_DGRAM, 0) or die;
send $systemd, "READY=1", 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET}) or die;
sleep 600;`

const HELPED = `[Service]
Type=notify
NotifyAccess=all
TimeoutStartSec=10
ExecStart=/bin/sh -c "perl /helper.pl & wait"`

for (const kind of ['real', 'make-believe'] as const) {
  const given = sharedBoot(kind, identity)
  const skip = whyNoCgroups(kind) ?? false
  const title = `${kind} control groups:`

  test(`${title} all units start, and systemd says so`, {skip}, async () => {
    const {sh} = await given()
    assert.deepEqual(await sh('systemctl is-system-running; systemctl --failed --no-legend'), {
      ...{status: 0, signal: null, stderr: ''},
      stdout: 'running\n',
    })
  })

  test(`${title} a daemon that leaves its parent belongs to its unit, and ends with it`, {skip}, async () => {
    const {sh} = await given()
    const script = 'setsid -f sleep 1234; exec sleep 5678'
    const started = await sh(`systemd-run --quiet --unit=leaves sh -c '${script}'`)
    assert.equal(started.status, 0, started.stderr)
    const members = await waitUntil('both sleeps', async () => {
      const {stdout} = await sh('systemctl status --no-pager leaves')
      return stdout.includes('sleep 1234') && stdout.includes('sleep 5678') && stdout
    })
    assert.match(members, /CGroup: .*leaves\.service/)
    assert.equal((await sh('systemctl stop leaves')).status, 0)
    assert.equal((await sh('cat /proc/[0-9]*/cmdline | tr "\\0" " " | grep -c "sleep 1[2]34"')).stdout, '0\n')
  })

  test(`${title} a helper that a unit has just started may say that the unit is ready`, {skip}, async () => {
    const {sh} = await given()
    const unit = '/run/systemd/system/helped.service'
    const files = `cat >/helper.pl <<'END'\n${HELPER}\nEND\ncat >${unit} <<'END'\n${HELPED}\nEND`
    const script = `${files}\nsystemctl daemon-reload && systemctl start helped && systemctl is-active helped; systemctl stop helped`
    assert.deepEqual(await sh(script), {status: 0, signal: null, stdout: 'active\n', stderr: ''})
  })

  test(`${title} su - on a terminal is a session of logind, with a user manager`, {skip}, async () => {
    const {sh, cli} = await given()
    const written = await sh(
      `useradd --create-home --shell /bin/bash u; cat >/login.sh <<'END'\n${LOGIN}\nEND`,
    )
    assert.equal(written.status, 0, written.stderr)
    const {screen} = await onTerminal({cli}, 'envs run guest su - u -c "sh /login.sh"')
    assert.match(
      screen.replaceAll('\r\n', '\n'),
      /^Name=u\nScope=session-\S+\.scope\nType=tty\nState=active\nactive\nrunning\na scope\n$/,
    )
  })

  test(`${title} a process moves to a unit of a user manager that is asked for it`, {skip}, async () => {
    const {sh, cli} = await given()
    const program = readFileSync(templatePath('host/session/user-manager.pl'))
    const put = 'cat >/user-manager.pl'
    assert.equal((await cli.runWith({input: program}, 'run', 'guest', '--', 'sh', '-c', put)).status, 0)
    const files = `cat >/attach.pl <<'END'\n${ATTACH}\nEND\ncat >/holder.sh <<'END'\n${HOLDER}\nEND`
    assert.equal((await sh(files)).status, 0)
    const {stdout, stderr} = await sh('su - u -c "sh /holder.sh"')
    assert.match(stdout, /^0::\/(?:.*\/)?user@\d+\.service\/app\.slice\/holder\.service\/leaf\n$/, stderr)
  })

  test(`${title} a session can start a scope, and let a user linger`, {skip}, async () => {
    const {sh} = await given()
    const script = 'systemd-run --quiet --scope --unit=probe systemctl is-active probe.scope'
    assert.deepEqual(await sh(script), {status: 0, signal: null, stdout: 'active\n', stderr: ''})
    const {stdout} = await sh('loginctl enable-linger u && loginctl show-user u --property=Linger')
    assert.equal(stdout, 'Linger=yes\n')
  })

  test(`${title} a file of the groups that is closed as a program is executed holds nothing up`, {
    skip,
  }, async () => {
    const {cli} = await given()
    const input = CLOSED_BY_EXEC
    assert.equal((await cli.runWith({input}, 'run', 'guest', '--', 'perl')).stdout, 'done\n')
  })

  if (kind === 'real') {
    test(`${title} a snapshot freezes them all, until it is killed`, {skip}, async () => {
      const {cli, name, sh} = await given()
      const group = await groupOf(await given())
      const child = await slowSnapshot(cli, name)
      assert.equal(isFrozen(group), true)
      child.kill('SIGKILL')
      await waitUntil('the end of the frost', () => !isFrozen(group))
      assert.equal((await sh('systemctl is-system-running')).stdout, 'running\n')
    })

    test(`${title} what a killed snapshot left frozen, the next session thaws`, {skip}, async () => {
      const {cli, name, sh} = await given()
      const group = await groupOf(await given())
      const child = await slowSnapshot(cli, name)
      for (const pid of [...childrenOf(child.pid ?? 0), child.pid ?? 0]) process.kill(pid, 'SIGKILL')
      await once(child, 'exit')
      assert.equal(isFrozen(group), true)
      assert.equal((await sh('systemctl is-system-running')).stdout, 'running\n')
      assert.equal(isFrozen(group), false)
    })

    test(`${title} what a killed snapshot left frozen, a stop thaws and halts in good order`, {
      skip,
    }, async () => {
      const {cli, name, ended} = await given()
      const child = await slowSnapshot(cli, name)
      for (const pid of [...childrenOf(child.pid ?? 0), child.pid ?? 0]) process.kill(pid, 'SIGKILL')
      await once(child, 'exit')
      const {status, stderr} = await cli.run('stop', name)
      assert.deepEqual([status, stderr, await ended()], [0, 'Stopped guest.\n', 0])
    })
  }

  test(`${title} no process of the guest sees the keeper`, {skip}, async () => {
    const {sh} = await given()
    const {stdout} = await sh('cat /proc/[0-9]*/cmdline | tr "\\0" "\\n" | grep -c "boot[.]pl"')
    assert.equal(stdout, '0\n')
  })

  test(`${title} the guest can't mount or write to other groups of the host`, {skip}, async () => {
    const {sh} = await given()
    const {status} = await sh('mount -t cgroup2 none /mnt || unshare -UrmC mount -t cgroup2 none /mnt')
    assert.notEqual(status, 0)
    if (kind === 'make-believe')
      assert.match((await sh('echo 0 >/sys/fs/cgroup/cgroup.procs')).stderr, /Read-only file system/)
  })

  test(`${title} a reboot starts the guest again`, {skip}, async () => {
    const {sh, cli, name} = await given()
    const before = await anchorPid(cli, name)
    assert.equal((await sh('systemctl reboot')).status, 0)
    const again = await waitUntil('another first process', async () => {
      const pid = await anchorPid(cli, name)
      return pid !== null && pid !== before && pid
    })
    assert.equal((await sh('systemctl is-system-running')).stdout, 'running\n')
    assert.equal(await anchorPid(cli, name), again)
  })

  test(`${title} exit ends the guest with that status, and the next session boots it`, {skip}, async () => {
    const {sh, ended} = await given()
    await sh('systemctl exit 7')
    assert.equal(await ended(), 7)
    assert.equal((await sh('systemctl is-system-running')).stdout, 'running\n')
  })

  test(`${title} stop names a process that did not end in time`, {skip}, async () => {
    const {sh, cli, name} = await given()
    const script = 'trap "" TERM; while :; do sleep 4321; done'
    await sh(`systemd-run --quiet --unit=deaf sh -c '${script}'`)
    const {status, stderr} = await cli.run('stop', '--timeout', '1s', name)
    assert.equal(status, 0, stderr)
    assert.match(stderr, /did not end by itself, and was killed: .*sleep 4321/)
    assert.equal(await anchorPid(cli, name), null)
  })

  test(`${title} two starts at once make one guest`, {skip}, async () => {
    const {sh, cli, name} = await given()
    const both = await Promise.all([sh('readlink /proc/1/ns/pid'), sh('readlink /proc/1/ns/pid')])
    assert.deepEqual(new Set(both.map(({status}) => status)), new Set([0]))
    assert.equal(new Set(both.map(({stdout}) => stdout)).size, 1)
    assert.equal((await cli.run('stop', name)).status, 0)
  })

  test(`${title} the guest ends when its keeper is killed`, {skip}, async () => {
    const {sh, boot} = await given()
    assert.equal((await sh('systemctl is-system-running')).stdout, 'running\n')
    const {pid} = await boot()
    const startTime = processStartTime(pid)
    const {stdout: parent} = await capture(['ps', '-o', 'ppid=', '-p', String(pid)])
    process.kill(Number(parent), 'SIGKILL')
    await waitUntil('the end of pid 1', () => processStartTime(pid) !== startTime)
    assert.equal((await sh('systemctl is-system-running')).stdout, 'running\n')
  })

  test(`${title} an init that ends at once is reported with its console`, {skip}, async () => {
    const {cli, name, sh} = await given()
    await sh(
      'mv /sbin/init /sbin/init.real; printf "#!/bin/sh\\necho broken by hand; exit 3\\n" >/sbin/init; chmod +x /sbin/init',
    )
    assert.equal((await cli.run('stop', name)).status, 0)
    const {status, stderr} = await sh('true')
    assert.equal(status, 125)
    assert.match(stderr, /"guest" did not boot: its first process ended with status 3\.[\s\S]*broken by hand/)
    assert.equal((await cli.run('set', name, 'init=none')).status, 0)
    assert.deepEqual(
      (await sh('mv /sbin/init.real /sbin/init; [ -e /run/systemd/system ] || echo none')).stdout,
      'none\n',
    )
  })
}

/** The control group of the host that has all of the guest in it. */
async function groupOf({cli, name, sh}: Booted): Promise<string> {
  assert.equal((await sh('true')).status, 0)
  const state = join(cli.data, 'environments', name, 'run/anchor.json')
  return JSON.parse(readFileSync(state, 'utf8')).group
}

function isFrozen(group: string): boolean {
  return /^frozen 1$/m.test(readFileSync(join(group, 'cgroup.events'), 'utf8'))
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}

async function anchorPid(
  cli: {run(...argv: string[]): Promise<{stdout: string}>},
  name: string,
): Promise<number | null> {
  const {anchorPid} = JSON.parse((await cli.run('show', name, '--json')).stdout)
  return anchorPid !== null && existsSync(`/proc/${anchorPid}`) ? anchorPid : null
}
