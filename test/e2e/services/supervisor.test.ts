import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES} from '../../support/guest.js'
import {servicesGuest} from '../../support/services-guest.js'
import {waitUntil} from '../../support/wait-until.js'

const UNITS = '/etc/systemd/system'

const service = (...lines: string[]) => `[Service]\n${lines.join('\n')}\n`

/** Writes READY=1 to its notification socket when a file is there. */
const NOTIFIER = `#!/usr/bin/perl
use Socket;
until (-e '/tmp/may-be-ready') { select undef, undef, undef, .02 }
socket(my $socket, AF_UNIX, SOCK_DGRAM, 0);
send $socket, "STATUS=as user $>\\nREADY=1", 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET});
sleep 1000;
`

/** Answers each caller of its inherited socket with a line, then ends. */
const ANSWERER = `#!/usr/bin/perl
open(my $listener, '+<&=', 3);
accept(my $caller, $listener);
syswrite $caller, "fds=$ENV{LISTEN_FDS} own=@{[$ENV{LISTEN_PID} == $$]} names=$ENV{LISTEN_FDNAMES}\\n";
`

const ASK = `perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack_sockaddr_un(shift)) or die; print <$s>' --`

/** Leaves its parent, and does not end by SIGTERM. */
const DEAF_DAEMON = `#!/bin/sh
setsid sh -c 'trap "" TERM; while :; do sleep 0.1; done' &
exit 0
`

/** Listens on a port that the kernel chooses. */
const LISTENER = `#!/usr/bin/perl
use Socket;
socket(my $socket, AF_INET, SOCK_STREAM, 0);
bind($socket, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die;
listen($socket, 5);
sleep 1000;
`

const FILES = {
  [`${UNITS}/listens.service`]: service('User=daemon', 'ExecStart=/usr/local/bin/listens'),
  '/usr/local/bin/listens': LISTENER,
  [`${UNITS}/plain.service`]: service(
    'ExecStart=/bin/sh -c "echo out; echo err >&2; exec sleep 1000"',
    'User=daemon',
  ),
  [`${UNITS}/variables.service`]: service(
    ...[
      'Type=oneshot',
      'Environment="A=one word" B=b',
      'EnvironmentFile=-/etc/missing',
      'EnvironmentFile=/etc/variables',
    ],
    ...[
      'RuntimeDirectory=vars',
      'ExecStart=/bin/sh -c \'printf "%%s|" "$$#" "$$@" >/tmp/variables\' sh $' + '{A} $C x$' + '{B}y $$5 %n',
    ],
  ),
  [`${UNITS}/named.service`]: service('Type=oneshot', `ExecStart=@/bin/sh other -c 'echo "$$0" >/tmp/named'`),
  [`${UNITS}/as-written.service`]: service(
    'Type=oneshot',
    'Environment=A=value',
    `ExecStart=:/bin/sh -c 'echo "$A" >/tmp/as-written' sh`,
  ),
  [`${UNITS}/prepared.service`]: service(
    ...['Type=oneshot', 'User=daemon', 'PermissionsStartOnly=true'],
    ...[
      'ExecStartPre=/usr/bin/install -o daemon -d /run/prepared',
      'ExecStart=/bin/sh -c "echo mine >/run/prepared/file"',
      'ExecStartPost=/bin/sh -c "echo root >/root/prepared"',
    ],
  ),
  [`${UNITS}/told.service`]: service(
    ...['Type=oneshot', 'Environment=OWN=unit', 'ExecStart=/bin/sh -c "echo $GIVEN-$OWN-$GONE >/tmp/told"'],
  ),
  '/etc/variables': '# a comment\nC="two words"\n',
  [`${UNITS}/at@.service`]: service(
    'Type=oneshot',
    'RemainAfterExit=yes',
    'ExecStart=/bin/sh -c "echo %i %I %p %N >/tmp/at"',
  ),
  [`${UNITS}/notifies.service`]: service('Type=notify', 'User=daemon', 'ExecStart=/usr/local/bin/notifies'),
  '/usr/local/bin/notifies': NOTIFIER,
  [`${UNITS}/broken.service`]: service('Type=oneshot', 'ExecStart=/bin/false'),
  [`${UNITS}/needs-broken.service`]: `[Unit]\nRequires=broken.service\nAfter=broken.service\n${service('ExecStart=/bin/sleep 1000')}`,
  [`${UNITS}/logger.service`]: `[Unit]\nRequires=syslog.socket\n${service('ExecStart=/bin/sleep 1000')}`,
  [`${UNITS}/first.service`]: service(
    'Type=oneshot',
    'ExecStart=/bin/sh -c "sleep 0.2; echo first >>/tmp/order"',
  ),
  [`${UNITS}/second.service`]: `[Unit]\nWants=first.service\nAfter=first.service\n${service('Type=oneshot', 'ExecStart=/bin/sh -c "echo second >>/tmp/order"')}`,
  [`${UNITS}/all.service`]: service('Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=/bin/true'),
  [`${UNITS}/answers.socket`]: '[Socket]\nListenStream=/run/answers/socket\nFileDescriptorName=door\n',
  [`${UNITS}/answers.service`]: service('ExecStart=/usr/local/bin/answers'),
  '/usr/local/bin/answers': ANSWERER,
  [`${UNITS}/each.socket`]: '[Socket]\nListenStream=/run/each\nAccept=yes\n',
  [`${UNITS}/each@.service`]: service('StandardInput=socket', 'ExecStart=/bin/echo one for each'),
  [`${UNITS}/soon.timer`]: '[Timer]\nOnActiveSec=0.1s\n',
  [`${UNITS}/soon.service`]: service('Type=oneshot', 'ExecStart=/bin/touch /tmp/soon'),
  [`${UNITS}/dies.service`]: service('ExecStart=/bin/sleep 1000', 'Restart=on-failure', 'RestartSec=0'),
  [`${UNITS}/crashes.service`]: service('ExecStart=/bin/false', 'Restart=always', 'RestartSec=0'),
  [`${UNITS}/deaf.service`]: service(
    'Type=forking',
    'ExecStart=/usr/local/bin/deaf',
    'TimeoutStopSec=0.5',
    'GuessMainPID=no',
  ),
  '/usr/local/bin/deaf': DEAF_DAEMON,
  // Its process writes the file after the first process has ended.
  [`${UNITS}/late.service`]: service(
    'Type=forking',
    'PIDFile=/run/late.pid',
    `ExecStart=/bin/sh -c "(sleep 0.3; exec sh -c 'echo $$$$ >/run/late.pid; exec sleep 1000') & exit 0"`,
  ),
  '/usr/lib/systemd/system/skipped.service': `[Unit]\nConditionPathExists=/nowhere\n${service('ExecStart=/bin/sleep 1000')}`,
  [`${UNITS}/slow.service`]: service('Type=notify', 'TimeoutStartSec=0.3', 'ExecStart=/bin/sleep 1000'),
  [`${UNITS}/stops.service`]: `${service('ExecStart=/bin/sleep 1000', 'ExecStop=/bin/sh -c "echo asked >/var/stopped"')}[Install]\nWantedBy=multi-user.target\nAlias=halts.service\n`,
  '/etc/init.d/script': `#!/bin/sh
### BEGIN INIT INFO
# Provides: script
# Short-Description: an init script
### END INIT INFO
case $1 in
start) sleep 1000 & echo $! >/run/script.pid ;;
stop) kill $(cat /run/script.pid) ;;
esac
`,
}

for (const {identity, skip} of IDENTITIES) {
  const play = servicesGuest(identity, FILES)
  const cases: readonly (readonly [what: string, script: string, stdout: string])[] = [
    [
      'a service runs as its user, and its output is in its log',
      `systemctl start plain; ps -o user= -p $(systemctl show -p MainPID --value plain) 2>/dev/null || stat -c %U /proc/$(systemctl show -p MainPID --value plain)
       systemctl log plain | cut -d' ' -f2-; systemctl stop plain; systemctl is-active plain`,
      `${identity === 'mapped' ? 'daemon' : 'root'}\nout\nerr\ninactive\n`,
    ],
    [
      'words and variables of a command are those of systemd',
      'systemctl start variables; cat /tmp/variables; ls -d /run/vars 2>&1 | grep -c cannot',
      '5|one word|two|words|xby|$5|variables.service|1\n'.replace('5|', '6|'),
    ],
    [
      'a command with "@" names itself, and one with ":" has no variables',
      'systemctl start named as-written; tail -n 1 /tmp/named /tmp/as-written | grep -v -e == -e ^$',
      'other\nvalue\n',
    ],
    [
      'PermissionsStartOnly= leaves the commands around the first to root',
      `systemctl start prepared; cat /run/prepared/file /root/prepared; stat -c %U /run/prepared/file`,
      `mine\nroot\n${identity === 'mapped' ? 'daemon' : 'root'}\n`,
    ],
    [
      'variables of set-environment are those of units that have no other',
      `systemctl set-environment GIVEN='a b' OWN=no GONE=x; systemctl unset-environment GONE; systemctl show-environment
       systemctl start told; cat /tmp/told; FROM=here systemctl import-environment FROM; systemctl show-environment | grep FROM
       systemctl unset-environment GIVEN OWN FROM; systemctl show-environment; systemctl set-environment 1=2 2>&1`,
      "GIVEN=a b\nOWN=no\na b-unit-\nFROM=here\nFailed to set environment: '1=2' is no assignment of a variable.\n",
    ],
    [
      'a template has an instance',
      'systemctl start at@a-b; cat /tmp/at; systemctl is-active at@a-b',
      'a-b a/b at at@a-b\nactive\n',
    ],
    [
      'a service that notifies is up when it says so',
      `rm -f /tmp/may-be-ready; systemctl --no-block start notifies; systemctl is-active notifies; touch /tmp/may-be-ready
       systemctl start notifies; systemctl is-active notifies; systemctl show -p StatusText notifies; systemctl stop notifies`,
      'activating\nactive\nStatusText=as user 1\n',
    ],
    [
      'a unit does not start without one that it requires',
      `systemctl start needs-broken 2>&1 | head -n 1; systemctl is-active needs-broken; systemctl is-failed broken; systemctl reset-failed; systemctl is-system-running`,
      'Job for needs-broken.service failed: a unit that it requires failed.\ninactive\nfailed\nrunning\n',
    ],
    [
      'the socket of the system log is not missed in a tree without systemd',
      'systemctl start logger; systemctl is-active logger; systemctl stop logger',
      'active\n',
    ],
    [
      'a unit waits for those that it comes after',
      'systemctl start second; cat /tmp/order',
      'first\nsecond\n',
    ],
    [
      'a start of a unit that is up starts what it wants since then',
      `systemctl start all; mkdir ${UNITS}/all.service.wants; ln -s ../plain.service ${UNITS}/all.service.wants; systemctl daemon-reload
       systemctl is-active all plain; systemctl start all; until systemctl -q is-active plain; do sleep 0.05; done; systemctl is-active all plain
       rm -r ${UNITS}/all.service.wants; systemctl daemon-reload; systemctl stop all plain`,
      'active\ninactive\nactive\nactive\n',
    ],
    [
      'a caller on a socket starts its service, each time',
      `systemctl start answers.socket; systemctl is-active answers; for i in 1 2; do ${ASK} /run/answers/socket; done; systemctl stop answers.socket`,
      `inactive\n${'fds=1 own=1 names=door\n'.repeat(2)}`,
    ],
    [
      'a socket with Accept= has a service for each caller',
      `systemctl start each.socket; for i in 1 2; do ${ASK} /run/each; done; systemctl stop each.socket`,
      'one for each\none for each\n',
    ],
    [
      'a timer starts its service',
      'systemctl start soon.timer; until [ -e /tmp/soon ]; do sleep 0.05; done; systemctl list-timers | grep -c soon.service; systemctl stop soon.timer',
      '1\n',
    ],
    [
      'a killed service starts again',
      `systemctl start dies; pid=$(systemctl show -p MainPID --value dies); kill -9 $pid
       until [ "$(systemctl show -p NRestarts --value dies)" = 1 ] && systemctl -q is-active dies; do sleep 0.05; done
       [ "$(systemctl show -p MainPID --value dies)" != $pid ] && echo another; systemctl stop dies; systemctl is-active dies`,
      'another\ninactive\n',
    ],
    [
      'a service that ends again and again is given up',
      `systemctl start crashes; until systemctl -q is-failed crashes; do sleep 0.05; done; systemctl show -p Result -p NRestarts crashes; systemctl reset-failed crashes`,
      'Result=start-limit-hit\nNRestarts=5\n',
    ],
    [
      'a stop ends daemons that have left their parent and ignore the signal',
      `systemctl start deaf; systemctl is-active deaf; systemctl stop deaf; pgrep -fc 'trap "" TERM' || cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'while :[;]'; systemctl is-active deaf; systemctl reset-failed deaf`,
      'active\n0\nfailed\n',
    ],
    [
      'a forking service may write its PID file late',
      `systemctl start late; tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value late)/cmdline; systemctl stop late; ls /run/late.pid 2>&1 | grep -c cannot`,
      'sleep 1000 1\n',
    ],
    [
      'a condition that does not hold is no failure',
      'systemctl start skipped; echo $?; systemctl is-active skipped',
      '0\ninactive\n',
    ],
    [
      'a start has a deadline',
      'systemctl start slow 2>/dev/null; echo $?; systemctl show -p Result --value slow; systemctl reset-failed slow',
      '1\ntimeout\n',
    ],
    [
      'an init script without a unit is a service',
      `systemctl start script; systemctl is-active script; systemctl show -p Description --value script; systemctl stop script; systemctl is-active script`,
      'active\nan init script\ninactive\n',
    ],
    [
      'links of enable, disable and mask',
      `systemctl -q enable stops; readlink ${UNITS}/multi-user.target.wants/stops.service; systemctl is-enabled stops; systemctl is-enabled halts
       systemctl -q disable stops; systemctl is-enabled stops; ls ${UNITS}/halts.service 2>&1 | grep -c cannot
       systemctl -q mask skipped; systemctl is-enabled skipped; systemctl start skipped 2>&1; systemctl -q unmask skipped`,
      `${UNITS}/stops.service\nenabled\nalias\ndisabled\n1\nmasked\nFailed to start skipped.service: Unit skipped.service is masked.\n`,
    ],
    [
      'a reload keeps what is known of units',
      `systemctl start broken 2>/dev/null; systemctl start plain at@x; shown() { systemctl show broken plain at@x skipped; systemctl log broken; }
       before=$(shown); systemctl daemon-reload; systemctl -q enable stops; systemctl -q disable stops
       [ "$(shown)" = "$before" ] && echo same; systemctl show -p Result -p ActiveState broken; systemctl stop plain; systemctl reset-failed broken`,
      'same\nResult=exit-code\nActiveState=failed\n',
    ],
    [
      'a unit without its file is there as long as it runs',
      `systemctl start plain; mv ${UNITS}/plain.service /tmp; systemctl daemon-reload; systemctl show -p LoadState -p ActiveState plain
       systemctl restart plain 2>&1; systemctl list-units --no-legend plain | cut -d' ' -f1-3; systemctl stop plain; systemctl stop plain 2>&1
       mv /tmp/plain.service ${UNITS}; systemctl daemon-reload; systemctl start plain; systemctl stop plain; systemctl show -p LoadState -p ActiveState plain`,
      [
        ...['LoadState=not-found', 'ActiveState=active'],
        'Failed to restart plain.service: Unit plain.service not found.',
        'plain.service not-found active',
        'Failed to stop plain.service: Unit plain.service not loaded.',
        ...['LoadState=loaded', 'ActiveState=inactive', ''],
      ].join('\n'),
    ],
    [
      'properties are told as systemctl tells them',
      `systemctl show --property=Id,LoadState,ActiveState,UnitFileState skipped nowhere`,
      'Id=skipped.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=static\n\nId=nowhere.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n',
    ],
    [
      'an unknown unit has the exit status of systemctl',
      'systemctl start nowhere 2>/dev/null; echo $?; systemctl is-active nowhere; echo $?',
      '5\ninactive\n4\n',
    ],
  ]
  for (const [what, script, stdout] of cases) {
    test(`${identity}: ${what}`, {skip}, async () => {
      const {sh} = await play()
      const ran = await sh(script)
      assert.equal(ran.stdout, stdout, ran.stderr)
    })
  }

  test(`${identity}: envs services has the ports of a unit with User=`, {skip}, async () => {
    const {cli, sh} = await play()
    const started = await sh('systemctl start listens')
    assert.equal(started.status, 0, started.stderr)
    const ports = await waitUntil('the port of the unit', async () => {
      const {services}: {services: {unit: string; ports: {address: string; protocol: string}[]}[]} =
        JSON.parse((await cli.run('services', 'play', '--json')).stdout)
      const found = services.find(({unit}) => unit === 'listens.service')?.ports ?? []
      return found.length > 0 && found
    })
    assert.deepEqual(
      ports.map(({address, protocol}) => [address, protocol]),
      [['127.0.0.1', 'tcp']],
    )
    assert.equal((await sh('systemctl stop listens')).status, 0)
  })

  test(`${identity}: systemd's own systemctl is replaced while the supervisor runs`, {skip}, async () => {
    const {cli, sh} = await play()
    const put =
      'rm -f /usr/bin/systemctl; { echo "#!/bin/sh"; echo "echo own: \\$@"; } >/usr/bin/systemctl; chmod 755 /usr/bin/systemctl'
    assert.equal((await sh(`${put}; /usr/bin/systemctl is-active stops`)).stdout, 'own: is-active stops\n')
    await cli.run('stop', 'play')
    const again = await sh('/usr/bin/systemctl is-active plain; dpkg-divert --list | grep -c systemctl')
    assert.equal(again.stdout, 'inactive\n1\n', again.stderr)
    await cli.run('stop', 'play')
    await cli.run('set', 'play', 'init=none')
    assert.equal((await sh('/usr/bin/systemctl is-active stops')).stdout, 'own: is-active stops\n')
    const mark = await sh('[ -d /run/systemd/system ]')
    assert.equal(mark.status, 1, 'the mark of an init that runs is gone with it')
    await cli.run('stop', 'play')
    await cli.run('set', 'play', 'init=services')
  })

  test(`${identity}: services outlive sessions, and stop asks them`, {skip}, async () => {
    const {cli, sh} = await play()
    const enabled = await sh(
      'rm -f /var/stopped; systemctl -q enable --now stops && systemctl is-active stops',
    )
    assert.equal(enabled.stdout, 'active\n', enabled.stderr)
    const kept = await sh('systemctl show -p MainPID --value stops')
    assert.equal((await sh('systemctl show -p MainPID --value stops')).stdout, kept.stdout)
    assert.equal((await cli.run('stop', 'play')).stderr, 'Stopped play.\n')
    const again = await sh(
      'cat /var/stopped; systemctl is-system-running --wait; systemctl is-active stops; systemctl -q disable --now stops',
    )
    assert.equal(again.stdout, 'asked\nrunning\nactive\n', again.stderr)
  })
}
