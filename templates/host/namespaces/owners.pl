#!/usr/bin/perl
# Prints which user namespaces own the mount and network namespaces of processes: "PID mnt INODE" and "PID net INODE".
#
# usage: owners.pl KIND PID...
#   KIND  "power" if ioctl has POWER's numbers, else "generic"
#
# Plain Perl without modules, as session.pl. See ioctl_ns(2): the kernel shows only owners that are below the caller's user namespace.
use v5.12;
use warnings;

my ($kind, @pids) = @ARGV;
require $0 =~ s{namespaces/[^/]*\z}{user-namespaces.pl}r;
for my $pid (@pids) {
  for my $name (qw(mnt net)) {
    # The process may have ended.
    open(my $namespace, '<', "/proc/$pid/ns/$name") or next;
    # Of the host's own namespaces, the owner is out of reach.
    my $number = ioctl($namespace, ns_get_userns($kind), 0) // next;
    open(my $owner, '<&=', $number) or next;
    print "$pid $name ", (stat $owner)[1], "\n";
  }
}
