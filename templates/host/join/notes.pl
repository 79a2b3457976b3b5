# Notes on a terminal after a session. Loaded by join.pl.
use v5.12;

my $O_RDONLY = 0;
my $NO_INIT = 'no init runs in an environment. To start a service by its script: envs run NAME service SERVICE start';
my %NOTES = (
  (map { $_ => $NO_INIT } qw(systemctl loginctl hostnamectl timedatectl initctl)),
  (map { $_ => 'snapd needs systemd, and no init runs in an environment. Install a package by apt instead.' } qw(snap snapd)),
  (map { $_ => 'an environment has no machine to restart or switch off: it ends with its last process.' } qw(reboot shutdown poweroff halt)),
  (map { $_ => 'ping works for the groups in net.ipv4.ping_group_range of this host: run envs doctor, and see the check "Ports and ping".' } qw(ping ping4 ping6)),
);
1;

# After a shell: its environment ends with its last process, and a server that was left may be forgotten.
sub note_what_goes_on {
  my ($name, $anchor) = @_;
  # Of the first process, which gets all that have lost their parent; its oldest child is the holder.
  my ($holder, @left) = split ' ', read_whole("/proc/$anchor/task/$anchor/children", $O_RDONLY, 65536) // return;
  my @programs = map { /^[0-9]+ \((.*)\) [^ZX]/s ? $1 =~ s/[^ -~]/?/gr : () } map { read_whole("/proc/$_/stat", $O_RDONLY, 4096) // () } @left;
  return unless @programs;
  my %count;
  $count{$_}++ for @programs;
  my $list = join ', ', sort keys %count;
  print STDERR "envs: $name still runs @{[scalar @programs]} process@{[@programs == 1 ? '' : 'es']}: $list. To see them: envs ps $name\n";
}

# Programs that work on a machine of their own, and whose messages here do not name the cause.
sub note_what_is_missing {
  my ($name, $ended, $program, @arguments) = @_;
  my ($word) = $program =~ m{([^/]*)\z};
  my $why = $ended == 0 ? undef : $NOTES{$word};
  # Its script starts a server in the background, and does not see that it ends again.
  if (($word eq 'service' || $program =~ m{^/etc/init\.d/}) && grep { /^(?:re)?start\z/ } @arguments) {
    my $port = (read_whole('/proc/sys/net/ipv4/ip_unprivileged_port_start', $O_RDONLY, 16) // 0) + 0;
    $why = "a server in an environment listens on ports of this host from $port on: set its port. To see whether it runs: envs ps NAME"
      if $port > 22;
  }
  return unless defined $why;
  print STDERR "envs: ", $why =~ s/NAME/$name/gr, "\n";
}
