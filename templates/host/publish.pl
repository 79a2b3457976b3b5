#!/usr/bin/perl
# Hands connections from one network on to another: a port of the host to an environment, or a port of one environment to another.
#
# usage: publish.pl NUMBERS FROM STARTED ADDRESS PORT TO STARTED TO_PORT
#   NUMBERS  system calls setns, prctl and prlimit64 on this processor, then "power" or "generic", separated by commas
#   FROM     process id of pid 1 of the environment in whose network this program listens, and its start time; - and - for the host
#   TO       process id of pid 1 of the environment that is connected to, and its start time
# Inherited: 3 status pipe, 4 lock, held as long as this program runs; its file gets the process id.
#
# Listens at ADDRESS and PORT, and connects to TO_PORT of the loopback, IPv4 or IPv6. Ends with either environment. The status pipe
# gets "ready", or "failed STAGE ERRNO"; the stage of a port that is refused is "bind".
# A socket stays in the network in which it was made: this program listens first, and joins the other network then. In an environment, a
# child makes the listener.
# Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

my ($AF_INET, $AF_INET6, $SOCK_STREAM, $SOL_SOCKET, $SO_REUSEADDR, $SO_ERROR, $IPPROTO_IPV6, $IPV6_V6ONLY) = (2, 10, 1, 1, 2, 4, 41, 26);
my ($EINTR, $EAGAIN, $EINPROGRESS, $F_SETFL, $F_GETFL, $O_NONBLOCK) = (4, 11, 115, 4, 3, 04000);
my $RLIMIT_NOFILE = 7;
my ($BLOCK, $BACKLOG, $RESERVE) = (65536, 128, 16);
my @LOOPBACKS = ([$AF_INET, "\x7f\0\0\1"], [$AF_INET6, "\0" x 15 . "\1"]);

BEGIN { $^F = 2 }

my ($numbers, $from, $from_started, $address, $port, $to, $to_started, $to_port) = @ARGV;
my ($folder) = $0 =~ m{^(.*)/};
require "$folder/network/namespace.pl";
our $report;
open($report, '>&=', 3) or exit 1;
open(my $lock, '+<&=', 4) or exit 1;
$SIG{PIPE} = 'IGNORE';

my @watches = ([$to, $to_started, watch_anchor($to, $to_started)]);
push @watches, [$from, $from_started, watch_anchor($from, $from_started)] if $from ne '-';
my $target = open_network($to, $numbers);
my $listener = $from eq '-' ? listen_here() : listener_inside(open_network($from, $numbers), \&listen_here);
enter_network($target);
my $most = raise_limit($target->{prlimit});
undef $target;
truncate $lock, 0;
syswrite $lock, "$$\n";
syswrite $report, "ready\n";
close $report;
open($report, '>', '/dev/null');
# By descriptor: those of both ends of a connection lead to it.
my %end;
serve();

sub listen_here {
  my $bytes = packed($address);
  my $family = length $bytes == 4 ? $AF_INET : $AF_INET6;
  socket(my $socket, $family, $SOCK_STREAM, 0) or give_up('socket');
  setsockopt($socket, $SOL_SOCKET, $SO_REUSEADDR, pack 'i', 1);
  # 0.0.0.0 is another publication.
  setsockopt($socket, $IPPROTO_IPV6, $IPV6_V6ONLY, pack 'i', 1) if $family == $AF_INET6;
  bind($socket, name_of($family, $bytes, $port)) or give_up('bind');
  listen($socket, $BACKLOG) or give_up('bind');
  no_waiting($socket);
  return $socket;
}

sub name_of {
  my ($family, $bytes, $number) = @_;
  return $family == $AF_INET ? pack('Sna4x8', $family, $number, $bytes) : pack('SnLa16L', $family, $number, 0, $bytes, 0);
}

sub no_waiting {
  my ($socket) = @_;
  fcntl($socket, $F_SETFL, fcntl($socket, $F_GETFL, 0) | $O_NONBLOCK);
}

# Returns the number of descriptors that this process may have.
sub raise_limit {
  my ($nr_prlimit) = @_;
  my $limits = "\0" x 16;
  return 1024 if syscall($nr_prlimit, 0, $RLIMIT_NOFILE, 0, $limits) != 0;
  my ($soft, $hard) = unpack 'Q2', $limits;
  # select(2) takes bit masks of that length.
  my $wanted = $hard > 16384 ? 16384 : $hard;
  my $raised = pack 'Q2', $wanted, $hard;
  return syscall($nr_prlimit, 0, $RLIMIT_NOFILE, $raised, 0) == 0 ? $wanted : $soft;
}

sub serve {
  while (1) {
    my ($reads, $writes) = ('', '');
    my $has_room = keys(%end) + $RESERVE < $most;
    vec($reads, fileno $listener, 1) = 1 if $has_room;
    vec($reads, fileno $_->[2], 1) = 1 for grep { defined $_->[2] } @watches;
    for my $side (values %end) {
      vec($reads, $side->{fd}, 1) = 1 if !$side->{is_connecting} && !$side->{other}{is_connecting} && !$side->{is_read} && length $side->{other}{out} < $BLOCK;
      vec($writes, $side->{fd}, 1) = 1 if $side->{is_connecting} || length $side->{out};
    }
    my $is_polling = grep { !defined $_->[2] } @watches;
    my $count = select($reads, $writes, undef, $is_polling ? 1 : undef);
    for (@watches) { exit 0 if defined $_->[2] ? $count > 0 && vec($reads, fileno $_->[2], 1) : !is_anchor($_->[0], $_->[1]) }
    next if $count <= 0;
    accept_one() if $has_room && vec($reads, fileno $listener, 1);
    for my $fd (keys %end) {
      my $side = $end{$fd} // next;
      if    (vec($writes, $fd, 1)) { $side->{is_connecting} ? finish_connect($side) : write_out($side) }
      $side = $end{$fd} // next;
      read_in($side) if vec($reads, $fd, 1);
    }
  }
}

sub accept_one {
  accept(my $client, $listener) or return;
  no_waiting($client);
  my $side = {socket => $client, fd => fileno $client, out => ''};
  connect_to_guest($side, 0);
}

# Tries the loopback of IPv4, then that of IPv6: some servers listen on one of them alone.
sub connect_to_guest {
  my ($side, $at) = @_;
  for my $index ($at .. $#LOOPBACKS) {
    my ($family, $bytes) = @{$LOOPBACKS[$index]};
    socket(my $server, $family, $SOCK_STREAM, 0) or next;
    no_waiting($server);
    my $is_connected = connect($server, name_of($family, $bytes, $to_port));
    next unless $is_connected || $! == $EINPROGRESS;
    my $other = {socket => $server, fd => fileno $server, out => '', is_connecting => !$is_connected, attempt => $index, other => $side};
    $side->{other} = $other;
    $end{$_->{fd}} = $_ for $side, $other;
    return;
  }
  delete $end{$side->{fd}};
}

sub finish_connect {
  my ($side) = @_;
  $side->{is_connecting} = 0;
  return if unpack('i', getsockopt($side->{socket}, $SOL_SOCKET, $SO_ERROR)) == 0;
  my $client = $side->{other};
  delete $end{$side->{fd}};
  $side->{other} = $client->{other} = undef;
  connect_to_guest($client, $side->{attempt} + 1);
}

sub read_in {
  my ($side) = @_;
  my $other = $side->{other};
  my $got = sysread($side->{socket}, $other->{out}, $BLOCK, length $other->{out});
  if (!defined $got) { finish($side) unless $! == $EAGAIN || $! == $EINTR; return }
  $side->{is_read} = 1 if $got == 0;
  write_out($other);
}

sub write_out {
  my ($side) = @_;
  while (length $side->{out}) {
    my $put = syswrite($side->{socket}, $side->{out});
    if (!defined $put) { finish($side) unless $! == $EAGAIN || $! == $EINTR; return }
    substr($side->{out}, 0, $put) = '';
  }
  return unless $side->{other}{is_read};
  shutdown($side->{socket}, 1);
  $side->{is_written} = 1;
  finish($side) if $side->{other}{is_written};
}

sub finish {
  my ($side) = @_;
  my $other = $side->{other};
  delete $end{$_->{fd}} for $side, $other;
  $side->{other} = $other->{other} = undef;
}
