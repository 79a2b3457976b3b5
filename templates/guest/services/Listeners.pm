# Socket units: opens what they listen on, and starts their service when somebody comes. See systemd.socket(5).
package Listeners;
use v5.12;
use warnings;
use Fcntl qw(O_RDWR O_NONBLOCK);
use POSIX ();
use Socket qw(:DEFAULT IPPROTO_TCP IPPROTO_IPV6 IPV6_V6ONLY inet_pton pack_sockaddr_in6 SO_REUSEPORT TCP_NODELAY);
use Account;
use Conditions;
use Jobs;
use Logs;
use Loop;
use Text;
use UnitFile;
use Units;

$Jobs::kind{socket} = {start => \&start, stop => \&stop};

my %TYPE = (ListenStream => SOCK_STREAM, ListenDatagram => SOCK_DGRAM, ListenSequentialPacket => SOCK_SEQPACKET);
my $MAX_CONNECTIONS = 64;

sub start {
  my ($unit) = @_;
  $unit->{condition_unmet} = Conditions::unmet($unit, 'Condition');
  return Jobs::finish($unit, 'skipped') if defined $unit->{condition_unmet};
  $unit->{result} = 'success';
  $unit->{sockets} = [];
  for my $key (sort keys %TYPE, 'ListenFIFO') {
    for my $address (UnitFile::values_of($unit, "Socket.$key")) {
      my ($socket, $why) = $key eq 'ListenFIFO' ? open_fifo($unit, $address) : open_socket($unit, $address, $TYPE{$key});
      return fail($unit, "$address: $why") unless $socket;
      push @{$unit->{sockets}}, $socket;
    }
  }
  Jobs::set_state($unit, 'active', 'listening');
  wait_for_callers($unit);
  Jobs::finish($unit, 'done');
}

sub fail {
  my ($unit, $why) = @_;
  close_all($unit);
  @$unit{qw(result error)} = ('resources', $why);
  Jobs::set_state($unit, 'failed', 'failed');
  Logs::note($unit, "failed: $why");
  Jobs::finish($unit, 'failed');
}

sub stop {
  my ($unit) = @_;
  close_all($unit);
  Jobs::set_state($unit, 'inactive', 'dead');
  Jobs::finish($unit, 'done');
}

sub close_all {
  my ($unit) = @_;
  for my $socket (@{delete $unit->{sockets} // []}) {
    Loop::unwatch($socket);
    close $socket;
  }
  unlink @{delete $unit->{links} // []};
  if (UnitFile::is_true($unit, 'Socket.RemoveOnStop')) { unlink grep { m{^/} } map { UnitFile::values_of($unit, "Socket.$_") } keys %TYPE }
}

# Returns the socket, or nothing and the reason.
sub open_socket {
  my ($unit, $address, $type) = @_;
  return open_local($unit, $address, $type) if $address =~ m{^[/@]};
  my ($host, $port) = $address =~ /^(?:\[([0-9A-Fa-f:.]+)\]:|([^:]*):)?(\d+)$/ ? ($1 // $2, $3) : return (undef, 'not an address that is supported');
  my $is_new = defined $host && $host =~ /:/;
  my ($domain, $where) = $is_new ? (AF_INET6, pack_sockaddr_in6($port, inet_pton(AF_INET6, $host) // return (undef, 'not an address')))
    : defined $host && length $host ? (AF_INET, pack_sockaddr_in($port, inet_aton($host) // return (undef, 'not an address')))
    : (AF_INET6, pack_sockaddr_in6($port, inet_pton(AF_INET6, '::')));
  my $socket;
  if (!socket($socket, $domain, $type, 0)) {
    # A host without IPv6.
    return (undef, "$!") if defined $host && length $host;
    ($domain, $where) = (AF_INET, pack_sockaddr_in($port, INADDR_ANY));
    socket($socket, $domain, $type, 0) or return (undef, "$!");
  }
  setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
  setsockopt($socket, SOL_SOCKET, SO_REUSEPORT, 1) if UnitFile::is_true($unit, 'Socket.ReusePort');
  if ($domain == AF_INET6) {
    my $is_only = $is_new || UnitFile::value($unit, 'Socket.BindIPv6Only', 'both') eq 'ipv6-only';
    setsockopt($socket, IPPROTO_IPV6, IPV6_V6ONLY, $is_only && UnitFile::value($unit, 'Socket.BindIPv6Only', '') ne 'both' ? 1 : 0);
  }
  bind($socket, $where) or return (undef, "$!");
  return with_backlog($unit, $socket, $type);
}

sub open_local {
  my ($unit, $address, $type) = @_;
  socket(my $socket, AF_UNIX, $type, 0) or return (undef, "$!");
  if ($address =~ s/^@/\0/) {
    # The length of an abstract address counts; without zero bytes at its end.
    bind($socket, pack('S a*', AF_UNIX, $address)) or return (undef, "$!");
    return with_backlog($unit, $socket, $type);
  }
  make_parent($unit, $address);
  unlink $address if -S $address;
  my $mask = umask 0177;
  my $is_bound = bind($socket, pack_sockaddr_un($address));
  my $why = "$!";
  umask $mask;
  return (undef, $why) unless $is_bound;
  give($unit, $address);
  for my $link (UnitFile::words_of($unit, 'Socket.Symlinks')) {
    unlink $link if -l $link;
    push @{$unit->{links}}, $link if symlink $address, $link;
  }
  return with_backlog($unit, $socket, $type);
}

sub open_fifo {
  my ($unit, $path) = @_;
  make_parent($unit, $path);
  unlink $path if -p $path;
  POSIX::mkfifo($path, 0600) or return (undef, "$!");
  sysopen(my $fifo, $path, O_RDWR | O_NONBLOCK) or return (undef, "$!");
  give($unit, $path);
  return $fifo;
}

sub make_parent {
  my ($unit, $path) = @_;
  my ($folder) = $path =~ m{^(.+)/[^/]+$} or return;
  Account::make_path($folder, oct UnitFile::value($unit, 'Socket.DirectoryMode', '0755'));
}

sub give {
  my ($unit, $path) = @_;
  my $uid = getpwnam(UnitFile::value($unit, 'Socket.SocketUser', 'root')) // 0;
  my $gid = getgrnam(UnitFile::value($unit, 'Socket.SocketGroup', 'root')) // 0;
  chown $uid, $gid, $path if $uid || $gid;
  chmod oct(UnitFile::value($unit, 'Socket.SocketMode', '0666')), $path;
}

sub with_backlog {
  my ($unit, $socket, $type) = @_;
  $socket->blocking(0);
  return $socket if $type == SOCK_DGRAM;
  my $backlog = UnitFile::value($unit, 'Socket.Backlog', 4096);
  listen($socket, $backlog =~ /^\d+$/ ? $backlog : 4096) or return (undef, "$!");
  return $socket;
}

sub is_accepting { return UnitFile::is_true($_[0], 'Socket.Accept') }

sub wait_for_callers {
  my ($unit) = @_;
  for my $socket (@{$unit->{sockets} // []}) {
    Loop::watch($socket, sub { is_accepting($unit) ? accept_one($unit, $socket) : wake($unit) });
  }
}

# Starts the service, which takes the waiting caller itself.
sub wake {
  my ($unit) = @_;
  Loop::unwatch($_) for @{$unit->{sockets}};
  Jobs::set_state($unit, 'active', 'running');
  my $service = Units::load(Units::triggered_by($unit));
  Jobs::start([$service->{name}], sub {
    my ($told) = values %{$_[0]};
    # A start that was refused has no end: the caller would wake the service for ever.
    fail_later($unit, "$service->{name}: $told") if $told !~ /^(?:done|failed|timeout|canceled)$/;
  });
}

# Listens again after the end of a service.
sub service_ended {
  my ($service) = @_;
  for my $unit (units_of($service)) {
    next unless $unit->{state} eq 'active';
    if ($service->{result} eq 'start-limit-hit') {
      fail_later($unit, 'its service was started too often');
      next;
    }
    Jobs::set_state($unit, 'active', 'listening');
    wait_for_callers($unit);
  }
}

sub fail_later {
  my ($unit, $why) = @_;
  return unless $unit->{state} eq 'active';
  Loop::soon(sub { fail($unit, $why) });
}

# Accept=yes: a new service for each caller, which has the connection as its descriptor 3, or as its standard input.
sub accept_one {
  my ($unit, $socket) = @_;
  accept(my $connection, $socket) or return;
  my ($base) = Units::triggered_by($unit) =~ /^(.+?)\@?\.service$/;
  my $most = UnitFile::value($unit, 'Socket.MaxConnections', $MAX_CONNECTIONS);
  $unit->{connections} //= 0;
  return close $connection if $unit->{connections} >= $most;
  my $service = Units::load("$base\@" . ++$unit->{accepted} . '.service');
  return close $connection if $service->{load_state} ne 'loaded';
  my $is_input = UnitFile::value($service, 'Service.StandardInput', '') eq 'socket';
  $service->{passed} = {sockets => $is_input ? [] : [$connection], socket_names => ['connection'], standard_input => $is_input ? $connection : undef};
  $unit->{connections}++;
  push @{$service->{on_end}}, sub { $unit->{connections}--; delete $service->{passed}; Units::forget($service) };
  Jobs::start([$service->{name}], sub { close $connection });
}

# Returns the sockets that a service gets, and their names. From now on the service answers callers.
sub of_service {
  my ($service) = @_;
  my (@sockets, @names);
  for my $unit (units_of($service)) {
    for my $socket (@{$unit->{sockets}}) {
      Loop::unwatch($socket);
      $socket->blocking(UnitFile::is_true($service, 'Service.NonBlocking') ? 0 : 1);
      push @sockets, $socket;
      push @names, UnitFile::value($unit, 'Socket.FileDescriptorName', $unit->{name});
    }
  }
  return {sockets => \@sockets, socket_names => \@names};
}

sub units_of {
  my ($service) = @_;
  return grep { $_->{sockets} && !is_accepting($_) } Units::sockets_of($service);
}

1;
