#!/usr/bin/perl
# A proxy for HTTP inside a network that has no other way out: it leads to named hosts alone.
#
# usage: proxy.pl NUMBERS ANCHOR STARTED PORT NAME...
#   NUMBERS  system calls setns, prctl and prlimit64 on this processor, then "power" or "generic", separated by commas
#   ANCHOR   process id of pid 1 of the environment, and its start time
#   PORT     at which it listens at 127.0.0.1 in that network
#   NAME     a host that may be reached, .DOMAIN for the hosts below a domain; with :NUMBER at that port, else at 80 and 443
# Inherited: 3 status pipe, 4 lock, held as long as this program runs; its file gets the process id.
#
# This program stays in the network of the host and resolves names there; a child makes the listener inside. Understands CONNECT, and absolute http: URLs. A name that leads to an address of
# the host, or to a loopback, is refused. The status pipe gets "ready", or "failed STAGE ERRNO".
# Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

my ($AF_INET, $SOCK_STREAM, $SOL_SOCKET, $SO_REUSEADDR) = (2, 1, 1, 2);
my ($PR_SET_PDEATHSIG, $SIGKILL) = (1, 9);
my ($BLOCK, $BACKLOG, $MOST_HEAD, $MOST_CONNECTIONS, $MOST_SECONDS) = (65536, 128, 65536, 256, 30);

BEGIN { $^F = 2 }

my ($numbers, $anchor, $started, $port, @names) = @ARGV;
my ($folder) = $0 =~ m{^(.*)/};
require "$folder/network/namespace.pl";
require "$folder/network/routes.pl";
our $report;
open($report, '>&=', 3) or exit 1;
open(my $lock, '+<&=', 4) or exit 1;
$SIG{PIPE} = 'IGNORE';
my $network = open_network($anchor, $numbers);
my $watch = watch_anchor($anchor, $started);
my $listener = listener_inside($network, \&listen_here);
truncate $lock, 0;
syswrite $lock, "$$\n";
syswrite $report, "ready\n";
close $report;
open($report, '>', '/dev/null');
my %connections;
while (1) {
  my $ready = '';
  vec($ready, fileno $_, 1) = 1 for grep { defined } $listener, $watch;
  my $count = select($ready, undef, undef, defined $watch ? undef : 1);
  while ((my $ended = waitpid -1, 1) > 0) { delete $connections{$ended} }
  if (defined $watch ? $count > 0 && vec($ready, fileno $watch, 1) : !is_anchor($anchor, $started)) {
    kill 'KILL', keys %connections;
    exit 0;
  }
  next unless $count > 0 && vec($ready, fileno $listener, 1) && accept(my $client, $listener);
  next if keys(%connections) >= $MOST_CONNECTIONS;
  my $parent = $$;
  my $child = fork() // next;
  if ($child == 0) {
    syscall($network->{prctl}, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0);
    exit 0 if getppid() != $parent;
    close $_ for $listener, $lock;
    serve($client);
    exit 0;
  }
  $connections{$child} = 1;
}

sub listen_here {
  socket(my $socket, $AF_INET, $SOCK_STREAM, 0) or give_up('socket');
  setsockopt($socket, $SOL_SOCKET, $SO_REUSEADDR, pack 'i', 1);
  bind($socket, pack('Sna4x8', $AF_INET, $port, "\x7f\0\0\1")) && listen($socket, $BACKLOG) or give_up('bind');
  return $socket;
}

sub serve {
  my ($client) = @_;
  local $SIG{ALRM} = sub { exit 0 };
  alarm $MOST_SECONDS;
  my $head = '';
  until ($head =~ /\r\n\r\n/) {
    return answer($client, '431 Request Header Fields Too Large') if length $head > $MOST_HEAD;
    sysread($client, $head, 8192, length $head) or return;
  }
  my ($verb, $name, $number, $path) =
    $head =~ m{^CONNECT ([A-Za-z0-9.-]+):(\d{1,5}) }         ? ('CONNECT', $1, $2)
    : $head =~ m{^([A-Z]+) http://([A-Za-z0-9.-]+)(?::(\d{1,5}))?(/\S*)? } ? ($1, $2, $3 // 80, $4 // '/')
    :                                                          return answer($client, '400 Bad Request');
  return answer($client, "403 $name:$number is not allowed by envs") unless is_allowed(lc $name, $number);
  my $address = gethostbyname($name) // return answer($client, "502 $name has no address");
  my %is_host = map { $_ => 1 } host_addresses(open_routes(0));
  return answer($client, "403 $name leads to this host") if $address =~ /^[\x7f\0]/ || $is_host{$address};
  my $server;
  socket($server, $AF_INET, $SOCK_STREAM, 0) && connect($server, pack('Sna4x8', $AF_INET, $number, $address))
    or return answer($client, "502 $name: $!");
  alarm 0;
  if ($verb eq 'CONNECT') {
    write_all($client, "HTTP/1.1 200 Connection established\r\n\r\n");
    my ($rest) = $head =~ /\r\n\r\n(.*)/s;
    write_all($server, $rest);
  }
  else {
    # One request a connection: the next one may be for another host.
    $head =~ s{^\S+ \S+}{$verb $path};
    $head =~ s/\r\n(?:Proxy-)?Connection:[^\r]*//gi;
    $head =~ s/\r\n\r\n/\r\nConnection: close\r\n\r\n/;
    write_all($server, $head);
  }
  carry($client, $server);
}

sub is_allowed {
  my ($name, $number) = @_;
  for my $allowed (@names) {
    my ($host, $only) = split /:/, $allowed;
    next unless defined $only ? $only == $number : $number == 80 || $number == 443;
    return 1 if $host =~ /^\./ ? $name =~ /\Q$host\E\z/ : $name eq $host;
  }
  return 0;
}

sub carry {
  my @ends = @_;
  my %is_open = map { fileno($_) => $_ } @ends;
  while (%is_open) {
    my $ready = '';
    vec($ready, $_, 1) = 1 for keys %is_open;
    select($ready, undef, undef, undef);
    for my $fd (keys %is_open) {
      next unless vec($ready, $fd, 1);
      my ($to) = grep { fileno($_) != $fd } @ends;
      my $got = sysread($is_open{$fd}, my $data, $BLOCK);
      if ($got) { write_all($to, $data) or return; next }
      shutdown $to, 1;
      delete $is_open{$fd};
    }
  }
}

sub write_all {
  my ($to, $data) = @_;
  while (length $data) {
    my $put = syswrite($to, $data) // return 0;
    substr($data, 0, $put) = '';
  }
  return 1;
}

sub answer {
  my ($client, $line) = @_;
  syswrite $client, "HTTP/1.1 $line\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
}
