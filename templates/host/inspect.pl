#!/usr/bin/perl
# Prints facts of processes of a running environment that have other users' ids: the host shows these to no ordinary user,
# but to root of the environment's user namespace.
#
# usage: inspect.pl ANCHOR NUMBERS VARIABLE <IDS
#   ANCHOR    process id of the environment's pid 1 on the host
#   NUMBERS   system call number of setns on this processor, then "power" if ioctl has POWER's numbers, else "generic",
#             separated by a comma
#   VARIABLE  a name of environment variables
#   IDS       process ids on the host, one a line
#
# Prints "ID socket INODE" for each socket that a process has open, and "ID variable VALUE" if it was started with the
# variable, with a name of a unit as its value. Exits with 1, and prints nothing, if it can't join the user namespace.
#
# This process stays in the host's pid namespace and reads the host's /proc, so the guest can't see it. Data that a guest can
# make as large as it likes are read up to a limit.
#
# Plain Perl without modules, as session.pl. See setns(2), proc_pid_fd(5), proc_pid_environ(5), and ptrace(2) for access
# mode checking.
use v5.12;
use warnings;

my $CLONE_NEWUSER = 0x10000000;
my ($MOST_PROCESSES, $MOST_OF_ONE, $MOST_OF_ALL) = (10_000, 10_000, 200_000);
my $MOST_BYTES = 64 * 1024;

my ($anchor, $numbers, $variable) = @ARGV;
my ($nr_setns, $kind) = split /,/, $numbers;

# The one that owns the pid namespace: a second user namespace, the guest's, is below it. For the host's root it is the
# host's own.
open(my $pid_namespace, '<', "/proc/$anchor/ns/pid") or exit 1;
require $0 =~ s{[^/]*\z}{user-namespaces.pl}r;
my $owner = owner_of($pid_namespace, $kind);
is_same($owner, '/proc/self/ns/user') or syscall($nr_setns, fileno $owner, $CLONE_NEWUSER) == 0 or exit 1;

my ($processes, $descriptors) = (0, 0);
while (my $id = <STDIN>) {
  last if ++$processes > $MOST_PROCESSES;
  $id =~ /^([0-9]+)$/ or next;
  $id = $1;
  print map { "$id socket $_\n" } sockets_of($id);
  print map { "$id variable $_\n" } unit_of($id);
}

sub sockets_of {
  my ($id) = @_;
  my ($seen, %inodes) = (0);
  opendir(my $folder, "/proc/$id/fd") or return;
  while (defined(my $name = readdir $folder)) {
    last if ++$seen > $MOST_OF_ONE || ++$descriptors > $MOST_OF_ALL;
    my $target = readlink("/proc/$id/fd/$name") // next;
    $inodes{$1} = 1 if $target =~ /^socket:\[([0-9]+)\]$/;
  }
  closedir $folder;
  return sort { $a <=> $b } keys %inodes;
}

sub unit_of {
  my ($id) = @_;
  open(my $file, '<', "/proc/$id/environ") or return;
  defined(sysread $file, my $bytes, $MOST_BYTES) or return;
  return $bytes =~ /(?:^|\0)\Q$variable\E=([A-Za-z0-9_][A-Za-z0-9:_.@\\-]*)\0/ ? $1 : ();
}
