import assert from 'node:assert/strict'
import {test} from 'node:test'
import {putProgram} from '../../support/guest.js'
import {namespaceCases} from '../../support/namespace-cases.js'
import {NR} from '../../support/system-calls.js'

/**
 * What the guest's root tries, by one letter code each, and the errno that it gets; 0 where it works. The numbers of requests are
 * those of linux/sockios.h, linux/if_packet.h and asm-generic/ioctls.h.
 */
const TRY = `#!/usr/bin/perl
use strict;
my ($AF_INET, $AF_PACKET, $SOCK_DGRAM, $SOCK_RAW) = (2, 17, 2, 3);
my ($CLONE_NEWNS, $CLONE_NEWCGROUP, $CLONE_NEWUSER) = (0x20000, 0x2000000, 0x10000000);
# Else they would be strings for syscall().
my ($NR_UNSHARE, $NR_MOUNT, $NR_SETNS) = map { $_ + 0 } @ARGV;
my ($SIOCSIFFLAGS, $SIOCSIFADDR) = (0x8914, 0x8916);
sub told { my ($what, $went) = @_; my $errno = $went ? 0 : $! + 0; print "$what $errno\\n" }
sub call { my ($number, @rest) = @_; return syscall($number, @rest) == 0 }
sub in_child { my ($work) = @_; my $pid = fork; if (!$pid) { $work->(); exit } waitpid $pid, 0 }
sub string { my ($text) = @_; return "$text\\0" }
sub set { my ($path, $value) = @_; open(my $file, '>', $path) or return 0; return defined syswrite $file, $value }
$| = 1;
told('raw-socket', socket my $raw, $AF_INET, $SOCK_RAW, 1);
told('packet-socket', socket my $packet, $AF_PACKET, $SOCK_RAW, 0);
socket my $plain, $AF_INET, $SOCK_DGRAM, 0;
told('interface-down', ioctl $plain, $SIOCSIFFLAGS, my $down = pack 'a16 s x22', 'lo', 0);
told('address', ioctl $plain, $SIOCSIFADDR, my $address = pack 'a16 S n a4 x16', 'lo', $AF_INET, 0, "\\x7f\\0\\0\\x09");
in_child(sub { told('hostname', set('/proc/sys/kernel/hostname', 'renamed')) });
for my $setting (qw(kernel/core_pattern net/ipv4/ip_forward vm/overcommit_memory)) {
  # Only opened, never written: where that works, it is the host's own setting.
  told($setting, open my $file, '>', "/proc/sys/$setting");
}
in_child(sub {
  set('/proc/sys/user/max_cgroup_namespaces', '1000');
  told('cgroup-namespace', call($NR_UNSHARE, $CLONE_NEWCGROUP));
});
in_child(sub {
  call($NR_UNSHARE, $CLONE_NEWUSER);
  told('cgroup-namespace-nested', call($NR_UNSHARE, $CLONE_NEWCGROUP));
});
in_child(sub {
  call($NR_UNSHARE, $CLONE_NEWNS) or return;
  mkdir '/tmp/tried';
  for my $type (qw(proc sysfs devpts cgroup2 debugfs tracefs securityfs bpf)) {
    told("mount-$type", call($NR_MOUNT, string('none'), string('/tmp/tried'), string($type), 0, 0));
  }
});
for my $way (['mnt', $CLONE_NEWNS], ['pid', 0x20000000], ['uts', 0x4000000], ['ipc', 0x8000000], ['net', 0x40000000]) {
  my ($kind, $type) = @$way;
  in_child(sub { open my $file, '<', "/proc/1/ns/$kind" or return told("join-$kind", 0); told("join-$kind", call($NR_SETNS, fileno $file, $type)) });
}
told('nested-user-namespace', 1 == in_child_status(sub { exit(call($NR_UNSHARE, $CLONE_NEWUSER) ? 1 : 2) }));
sub in_child_status { my ($work) = @_; my $pid = fork; $work->() if !$pid; waitpid $pid, 0; return $? >> 8 }
`

const NR_SETNS = process.arch === 'x64' ? 308 : 268

for (const {title, skip, play} of namespaceCases()) {
  test(`${title}: what belongs to the host or to the environment's own frame is refused to the guest's root`, {
    skip,
  }, async () => {
    const guest = await play()
    await putProgram(guest, '/usr/local/bin/try-all', TRY)
    const {stdout, stderr} = await guest.run(
      'try-all',
      String(NR.unshare),
      String(NR.mount),
      String(NR_SETNS),
    )
    assert.equal(stderr, '')
    const answers = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    )
    const works = [...answers].filter(([, errno]) => errno === '0').map(([what]) => what)
    // A terminal file system of its own leads to terminals of its own.
    assert.deepEqual(works, ['mount-devpts', 'nested-user-namespace'])
    assert.equal(answers.size, 24, stdout)
    assert.equal((await guest.run('cat', '/proc/sys/kernel/hostname')).stdout, 'play\n')
  })
}
