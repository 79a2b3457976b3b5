#!/usr/bin/perl
# Makes a user namespace inside the current one, for the guest of an environment, and executes a program in the outer one.
#
# usage: second-namespace.pl NUMBERS PROCESSES PROGRAM ARGUMENT...
#   NUMBERS    system call numbers of unshare and prlimit64 on this processor, separated by a comma
#   PROCESSES  limit for the processes and threads in the inner namespace and those nested in it
# Inherited: 9 any descriptor; PROGRAM gets the inner namespace there.
#
# The mounts of PROGRAM, and the other namespaces that it makes, belong to the outer namespace: the guest's root can't change
# them. The inner one has the same ids. See user_namespaces(7), mount_namespaces(7), namespaces(7) for /proc/sys/user, and the
# kernel's create_user_ns for RLIMIT_NPROC: its value at the creation of a namespace is that namespace's limit.
#
# Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

my ($CLONE_NEWUSER, $RLIMIT_NPROC) = (0x10000000, 6);
my $GUEST_NAMESPACE = 9;
# One for each process that becomes another user in the emulated identity, and each sandbox of a browser; they take
# kernel memory of the host.
my $MOST_USER_NAMESPACES = 4096;

BEGIN { $^F = 10 }    # what is opened there is handed on

my ($numbers, $processes, @program) = @ARGV;
my ($nr_unshare, $nr_prlimit) = map { $_ + 0 } split /,/, $numbers;

# In its own control group namespace, a guest could mount the host's control groups, write to those that the user
# owns, and freeze or kill other processes. The limit here applies to all nested namespaces, whose roots can't raise
# it. If /proc/sys is read-only, as in a container, the user owns no groups.
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

# One write for all: the kernel accepts only one for a map.
sub write_file {
  my ($path, $text) = @_;
  open(my $file, '>', $path) or return 0;
  return defined syswrite $file, $text;
}

sub may_not_set_groups {
  open(my $file, '<', '/proc/self/setgroups') or return 0;
  return (<$file> // '') =~ /deny/;
}

# Maps each extent of the ids to itself.
sub same_ids {
  my ($path) = @_;
  open(my $map, '<', $path) or fail($path);
  return join '', map { my ($first, undef, $count) = split; "$first $first $count\n" } <$map>;
}

# At most the user's present limit: raising it is refused.
sub limit_processes {
  my $limits = "\0" x 16;
  syscall($nr_prlimit, 0, $RLIMIT_NPROC, 0, $limits) == 0 or fail('the limit of processes');
  my ($soft, $hard) = unpack 'Q2', $limits;
  my $most = $soft < $processes ? $soft : $processes;
  my $wanted = pack 'Q2', $most, $hard;
  syscall($nr_prlimit, 0, $RLIMIT_NPROC, $wanted, 0) == 0 or fail('the limit of processes');
}
