#!/usr/bin/perl
# Makes a network for an environment, and executes a program in it, as root of the user namespace to which the network belongs.
#
# usage: own-network.pl NUMBER PROGRAM ARGUMENT...
#   NUMBER   system call unshare on this processor
#
# The network has a loopback alone. The guest is in another user namespace and has no right over it: here it gets the first ports
# and ping, before its own first process could miss them. See netdevice(7), ip(7), icmp(7).
#
# Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

my ($CLONE_NEWNET, $AF_INET, $SOCK_DGRAM, $SIOCSIFFLAGS, $IFF_UP) = (0x40000000, 2, 2, 0x8914, 1);
# The kernel refuses a higher one.
my $HIGHEST_GROUP = 2147483646;

BEGIN { $^F = 10 }    # what is inherited is handed on

my ($nr_unshare, @program) = @ARGV;
syscall($nr_unshare + 0, $CLONE_NEWNET) == 0 or fail('a new network');
socket(my $socket, $AF_INET, $SOCK_DGRAM, 0) or fail('the loopback');
my $request = pack 'a16sx22', 'lo', $IFF_UP;
ioctl($socket, $SIOCSIFFLAGS, $request) or fail('the loopback');
close $socket;
write_setting('ip_unprivileged_port_start', 0) or fail('the first ports');
write_setting('ping_group_range', '0 ' . last_group()) or fail('the groups for ping');
no warnings 'exec';    # fail tells it
exec { $program[0] } @program or fail($program[0]);

sub fail {
  my ($what) = @_;
  print STDERR "envs: $what: $!\n";
  exit 1;
}

sub write_setting {
  my ($name, $value) = @_;
  open(my $file, '>', "/proc/sys/net/ipv4/$name") or return 0;
  return defined syswrite $file, $value;
}

# The last of the groups from 0 on without a gap: the kernel refuses a number that is no group of this namespace.
sub last_group {
  open(my $map, '<', '/proc/self/gid_map') or return 0;
  my $next = 0;
  for my $extent (sort { $a->[0] <=> $b->[0] } map { [split] } <$map>) {
    my ($first, undef, $count) = @$extent;
    last if $first > $next;
    $next = $first + $count if $first + $count > $next;
  }
  return $next > $HIGHEST_GROUP ? $HIGHEST_GROUP : $next - 1;
}
