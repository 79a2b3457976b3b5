import assert from 'node:assert/strict'
import {once} from 'node:events'
import {createServer, type Server} from 'node:net'
import {after, before, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {PROFILES} from '../../../src/sandbox/confinement/confinement.js'
import {type Guest, putProgram} from '../../support/guest.js'
import {namespaceCases} from '../../support/namespace-cases.js'

const NUMBERS =
  process.arch === 'x64'
    ? {
        unshare: 272,
        mount: 165,
        umount2: 166,
        keyctl: 250,
        uring: 425,
        ptrace: 101,
        personality: 135,
        readv: 310,
      }
    : {unshare: 97, mount: 40, umount2: 39, keyctl: 219, uring: 425, ptrace: 117, personality: 92, readv: 270}

/**
 * Each attempt with the errno that it gets, 0 where it works. It works on the host too, where the families of sockets and io_uring
 * answer as the kernel has them. Requests of ioctl(2) are those of linux/sockios.h and asm-generic/ioctls.h.
 */
const TRY = `#!/usr/bin/perl
use strict;
my ($port, $abstract, @rest) = @ARGV;
my ($nr_unshare, $nr_mount, $nr_umount, $nr_keyctl, $nr_uring, $nr_ptrace, $nr_personality, $nr_readv) = map { $_ + 0 } @rest;
my ($NEWNS, $NEWUSER) = (0x20000, 0x10000000);
sub told { my ($what, $went) = @_; my $errno = $went ? 0 : $! + 0; print "$what $errno\\n" }
sub call { my ($number, @words) = @_; return syscall($number, @words) >= 0 }
sub string { my ($text) = @_; return "$text\\0" }
sub apart { my ($work) = @_; my $pid = fork; if (!$pid) { $work->(); exit } waitpid $pid, 0 }
sub listed { my ($folder) = @_; opendir(my $handle, $folder) or return -1; return scalar grep { !/^\\./ } readdir $handle }
$| = 1;
told("family-$_->[0]", socket my $any, $_->[1], $_->[2], 0) for ['alg', 38, 5], ['vsock', 40, 1], ['packet', 17, 3];
told('io-uring', call($nr_uring, 1, 0));
exit if $port == 0;
told('raw-socket', socket my $raw, 2, 3, 1);
told('keyctl', call($nr_keyctl, 0, -3, 0));
my $key = 'x';
told('tiocsti', ioctl STDIN, 0x5412, $key);
socket my $plain, 2, 2, 0;
told('interface-down', ioctl $plain, 0x8914, my $down = pack 'a16 s x22', 'lo', 0);
told('umount-proc', call($nr_umount, string('/proc'), 2));
told('remount-root', call($nr_mount, string('none'), string('/'), string('none'), 0x1020, 0));
apart(sub { call($nr_unshare, $NEWNS) or return told('own-mounts', 0); mkdir '/tmp/tried'; told('own-mounts', call($nr_mount, string('none'), string('/tmp/tried'), string('tmpfs'), 0, 0)) });
apart(sub { call($nr_unshare, $NEWUSER | $NEWNS) or return told('nested', 0); told('nested', 1); told('nested-mount', call($nr_mount, string('none'), string('/tmp'), string('tmpfs'), 0, 0)) });
apart(sub { told('more-namespaces', open(my $file, '>', '/proc/sys/user/max_user_namespaces')) });
apart(sub { told('ptrace', call($nr_ptrace, 0, 0, 0, 0)) });
told('personality', call($nr_personality, 0xffffffff));
apart(sub { my ($to, $from) = ("\\0" x 8, 'here    '); my $into = pack 'P Q', $to, 8; my $out = pack 'P Q', $from, 8; told('read-process', call($nr_readv, $$, $into, 1, $out, 1, 0)) });
apart(sub { socket my $to, 2, 1, 0; told('loopback-of-host', connect $to, pack 'S n a4 x8', 2, $port, "\\x7f\\0\\0\\1") });
# Node pads the name or does not, by its version.
apart(sub { socket my $to, 1, 1, 0; told('abstract-of-host', connect($to, pack 'S a*', 1, "\\0$abstract") || connect($to, pack 'S a108', 1, "\\0$abstract")) });
print 'sys ', listed('/sys') > 0 ? 'seen' : 'empty', "\\n";
told('proc-keys', open(my $keys, '<', '/proc/keys'));
open my $status, '<', '/proc/self/status'; my ($bound) = map { /^CapBnd:\\s+(\\S+)/ } <$status>;
print "sys-admin ", (hex(substr $bound, -6) & 0x200000 ? 'kept' : 'dropped'), "\\n";
`

/** Tries to make the files writable again, and prints each way that works. */
const UNDO = `#!/usr/bin/perl
my ($nr_unshare, $nr_mount, $nr_umount) = (${NUMBERS.unshare}, ${NUMBERS.mount}, ${NUMBERS.umount2});
sub string { my ($text) = @_; return "$text\\0" }
for my $flags (0, 0x20000, 0x10020000) {
  my $pid = fork;
  if (!$pid) {
    exit if $flags && syscall($nr_unshare, $flags) != 0;
    print "remounted in $flags\\n" if syscall($nr_mount, string('none'), string('/'), string('none'), 0x1020, 0) == 0;
    print "unmounted in $flags\\n" if syscall($nr_umount, string('/tmp'), 2) == 0;
    exit;
  }
  waitpid $pid, 0;
}
`

/** Forks up to the limit of an isolated environment, and not to that of others. */
const BOMB =
  'pipe R, W; for (1 .. 600) { my $pid = fork; defined $pid or print("refused with ", $! + 0, "\\n"), exit; if (!$pid) { close W; sysread R, my $end, 1; exit } }'

/** Answers of the trusted profile that are no facts of the kernel's build. */
const TRUSTED = {
  'raw-socket': '1',
  keyctl: '1',
  tiocsti: '1',
  'interface-down': '1',
  'umount-proc': '1',
  'remount-root': '1',
  'own-mounts': '0',
  nested: '0',
  'nested-mount': '0',
  'more-namespaces': '0',
  ptrace: '0',
  personality: '0',
  'read-process': '0',
  'loopback-of-host': '0',
  'abstract-of-host': '0',
  sys: 'seen',
  'proc-keys': '0',
  'sys-admin': 'kept',
}

const DEFAULT = {
  ...TRUSTED,
  'family-alg': '97',
  'family-vsock': '97',
  'family-packet': '97',
  'io-uring': '38',
}

const ISOLATED = {
  ...DEFAULT,
  'own-mounts': '1',
  'nested-mount': '1',
  'more-namespaces': '30',
  ptrace: '1',
  personality: '1',
  'read-process': '1',
  'loopback-of-host': '111',
  'abstract-of-host': '111',
  sys: 'empty',
  'proc-keys': '13',
  'sys-admin': 'dropped',
}

/** In mapped no user namespace can be made; su of emulated needs one. */
function expected(profile: (typeof PROFILES)[number], identity: string, onHost: Record<string, string>) {
  if (profile === 'trusted') return {...TRUSTED, ...onHost, 'family-packet': '1'}
  if (profile === 'default') return DEFAULT
  const {'nested-mount': _, ...others} = ISOLATED
  return identity === 'mapped' ? {...others, nested: '28'} : ISOLATED
}

function answers(text: string): Record<string, string> {
  return Object.fromEntries(text.split('\n').flatMap((each) => (each === '' ? [] : [each.split(' ')])))
}

const ABSTRACT = `envs-test-${process.pid}`
const servers: Server[] = []
let port = 0

before(async () => {
  for (const address of [{host: '127.0.0.1', port: 0}, {path: `\0${ABSTRACT}`}]) {
    const server = createServer((socket) => socket.destroy())
    server.listen(address)
    await once(server, 'listening')
    servers.push(server)
    const bound = server.address()
    if (typeof bound === 'object' && bound !== null) port = bound.port
  }
})

after(() => {
  for (const server of servers) server.close()
})

async function attempts(guest: Guest): Promise<Record<string, string>> {
  await putProgram(guest, '/usr/local/bin/try-all', TRY)
  const {stdout, stderr} = await guest.run(
    'try-all',
    String(port),
    ABSTRACT,
    ...Object.values(NUMBERS).map(String),
  )
  assert.equal(stderr, '')
  return answers(stdout)
}

for (const {title, skip, play} of namespaceCases()) {
  const identity = title.endsWith('mapped') ? 'mapped' : 'emulated'
  for (const profile of PROFILES) {
    test(`${title}, ${profile}: each attempt of the guest's root has the answer of the table`, {
      skip,
    }, async () => {
      const guest = await play()
      const changed = await guest.cli.run('set', 'play', `profile=${profile}`, '--quiet')
      assert.equal(changed.status, 0, changed.stderr)
      await guest.cli.run('stop', '--force', 'play')
      const words = ['perl', '-e', TRY, '0', '-', ...Object.values(NUMBERS).map(String)]
      const onHost = answers((await capture(words)).stdout)
      assert.deepEqual(await attempts(guest), expected(profile, identity, onHost))
      if (profile !== 'isolated') return
      // su becomes another user in both identities.
      const {stdout} = await guest.run('su', 'games', '-s', '/bin/sh', '-c', 'id -un')
      assert.equal(stdout, 'games\n')
      assert.equal((await guest.run('perl', '-e', BOMB)).stdout, 'refused with 11\n')
    })
  }
}

for (const {title, skip, play} of namespaceCases()) {
  test(`${title}: files that are read-only stay so for the guest's root, and for one session`, {
    skip,
  }, async () => {
    const guest = await play()
    await putProgram(guest, '/usr/local/bin/undo', UNDO)
    const script = `undo; echo x 2>/dev/null >/etc/written && echo changed; echo x >/tmp/written && cat /tmp/written; su games -s /bin/sh -c 'echo y >/var/tmp/written && cat /var/tmp/written'`
    const narrowed = await guest.runWith({flags: ['--read-only']}, 'sh', '-c', script)
    assert.equal(narrowed.stdout, 'x\ny\n', narrowed.stderr)
    assert.equal((await guest.sh('ls /tmp/written /etc/written 2>/dev/null; echo looked')).stdout, 'looked\n')
    await guest.cli.run('set', 'play', 'profile=default', 'read-only=yes', '--quiet')
    await guest.cli.run('stop', '--force', 'play')
    const started = await guest.sh(`${script}; test -w /run && echo run; test -d /run/envs && echo resolver`)
    assert.equal(started.stdout, 'x\ny\nrun\nresolver\n', started.stderr)
    await guest.cli.run('set', 'play', 'read-only=no', '--quiet')
    await guest.cli.run('stop', '--force', 'play')
  })

  test(`${title}: capabilities that are dropped are gone for root, sudo and the first process`, {
    skip,
  }, async () => {
    const guest = await play()
    const bound = `grep CapEff /proc/self/status | cut -f2; su root -s /bin/sh -c 'grep CapEff /proc/self/status' | cut -f2`
    const session = await guest.runWith(
      {flags: ['--cap-drop', 'CAP_CHOWN', '--cap-drop', 'mknod']},
      'sh',
      '-c',
      bound,
    )
    const [own = '', ofSu = ''] = session.stdout.trim().split('\n')
    assert.equal(BigInt(`0x${own}`) & 0x8000001n, 0n, session.stderr)
    assert.equal(ofSu, own)
    await guest.cli.run('set', 'play', 'cap-drop=net_raw,sys_admin', '--quiet')
    await guest.cli.run('stop', '--force', 'play')
    const {stdout} = await guest.sh('grep -h CapEff /proc/self/status /proc/1/status | cut -f2')
    const masks = stdout.trim().split('\n')
    assert.equal(masks.length, 2)
    for (const mask of masks) assert.equal(BigInt(`0x${mask}`) & 0x202000n, 0n)
    await guest.cli.run('set', 'play', 'cap-drop=', '--quiet')
    await guest.cli.run('stop', '--force', 'play')
  })
}
