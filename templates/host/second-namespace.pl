#!/usr/bin/perl
# Makes a user namespace below the one it is root of, for the guest of an environment, and goes on as a program in the upper one.
#
# usage: second-namespace.pl NUMBERS PROCESSES PROGRAM ARGUMENT...
#   NUMBERS    system call numbers of unshare and prlimit64 on this processor, separated by a comma
#   PROCESSES  how many processes and threads there may be in the lower namespace and all below it
# Inherited: 9 any descriptor; PROGRAM has the lower namespace there.
#
# What PROGRAM mounts, and the other namespaces that it makes, belong to the upper namespace: the guest's root has no say over
# them. The lower one has the same ids. See user_namespaces(7), mount_namespaces(7), namespaces(7) for /proc/sys/user, and the
# kernel's create_user_ns for RLIMIT_NPROC: as it is when a namespace is made, it holds there for good.
#
# Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

my ($CLONE_NEWUSER, $RLIMIT_NPROC) = (0x10000000, 6);
my $GUEST_NAMESPACE = 9;
# One for each process that becomes another user in the emulated identity, each sandbox of a browser; the kernel's memory is
# the host's.
my $MOST_USER_NAMESPACES = 4096;

BEGIN { $^F = 10 }    # what is opened there is handed on

my ($numbers, $processes, @program) = @ARGV;
my ($nr_unshare, $nr_prlimit) = map { $_ + 0 } split /,/, $numbers;

# A namespace of control groups of the guest's own would let it mount the host's as it sees them, and write to those that are the
# user's: freeze and kill what runs beside it. Counted here for all namespaces below, whose roots can't raise it. Where /proc/sys is
# read-only, as in a container, no groups are the user's.
write_file('/proc/sys/user/max_cgroup_namespaces', 0);
write_file('/proc/sys/user/max_user_namespaces', $MOST_USER_NAMESPACES);

pipe(my $is_made, my $made) && pipe(my $is_held, my $hold) or fail('pipe');
my $child = fork() // fail('fork');
if ($child == 0) {
  close $hold;
  limit_processes();
  syscall($nr_unshare, $CLONE_NEWUSER) == 0 or fail('the second user namespace');
  syswrite $made, 'x';
  sysread $is_held, my $nothing, 1;
  exit 0;
}
close $made;
sysread($is_made, my $told, 1) == 1 or exit 1;
write_file("/proc/$child/setgroups", 'deny') or fail('setgroups') if may_not_set_groups();
for my $kind (qw(uid gid)) {
  write_file("/proc/$child/${kind}_map", same_ids("/proc/self/${kind}_map")) or fail("the $kind map of the second user namespace");
}
open(my $namespace, '<&=', $GUEST_NAMESPACE) or fail("descriptor $GUEST_NAMESPACE");
open($namespace, '<', "/proc/$child/ns/user") or fail('the second user namespace');
close $hold;
waitpid $child, 0;
no warnings 'exec';    # fail tells it
exec { $program[0] } @program or fail($program[0]);

sub fail {
  my ($what) = @_;
  print STDERR "envs: $what: $!\n";
  exit 1;
}

# One write for all: the kernel takes no second one for a map.
sub write_file {
  my ($path, $text) = @_;
  open(my $file, '>', $path) or return 0;
  return defined syswrite $file, $text;
}

sub may_not_set_groups {
  open(my $file, '<', '/proc/self/setgroups') or return 0;
  return (<$file> // '') =~ /deny/;
}

# Each extent of the ids here, as themselves.
sub same_ids {
  my ($path) = @_;
  open(my $map, '<', $path) or fail($path);
  return join '', map { my ($first, undef, $count) = split; "$first $first $count\n" } <$map>;
}

# No more than this user may have anyway: raising that is refused.
sub limit_processes {
  my $limits = "\0" x 16;
  syscall($nr_prlimit, 0, $RLIMIT_NPROC, 0, $limits) == 0 or fail('the limit of processes');
  my ($soft, $hard) = unpack 'Q2', $limits;
  my $most = $soft < $processes ? $soft : $processes;
  my $wanted = pack 'Q2', $most, $hard;
  syscall($nr_prlimit, 0, $RLIMIT_NPROC, $wanted, 0) == 0 or fail('the limit of processes');
}
