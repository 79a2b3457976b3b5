# Starts the processes of units, and finds them again: also those that have left their parent.
#
# Each process of a unit carries the unit's number as its RLIMIT_LOCKS, a limit that no kernel since 2.4 looks at. Children inherit
# it, daemons too, and everybody can read it in /proc/PID/limits. See getrlimit(2).
package Process;
use v5.12;
use warnings;
use Fcntl qw(F_DUPFD);
use POSIX ();
use Account;
use Command;
use Text;
use UnitFile;

my %RESOURCE = (CPU => 0, FSIZE => 1, DATA => 2, STACK => 3, CORE => 4, RSS => 5, NPROC => 6, NOFILE => 7, MEMLOCK => 8, AS => 9,
  LOCKS => 10, SIGPENDING => 11, MSGQUEUE => 12, NICE => 13, RTPRIO => 14, RTTIME => 15);
my $INFINITY = ~0;
# Far from limits that a program would set.
my $FIRST_MARK = 2_000_000_000;
# Exit statuses of systemd.exec(5), "Process exit codes".
our %STATUS = (CHDIR => 200, EXEC => 203, STDIN => 208, GROUP => 216, USER => 217);

our $nr_prlimit64;
my $last_mark = 0;

# Starts one command of a unit.
#
# @param $with - {command, account, variables, log (writing end), sockets (handles for LISTEN_FDS), socket_names, standard_input}
# Returns its process id, and a handle whose end says that the program runs; nothing if no process can be made.
sub start {
  my ($unit, $with) = @_;
  $unit->{mark} //= $FIRST_MARK + ++$last_mark;
  pipe(my $is_running, my $failure) or return;
  defined(my $pid = fork) or return;
  if ($pid) {
    close $failure;
    return ($pid, $is_running);
  }
  close $is_running;
  # A failure must not return into the supervisor's loop.
  eval { become($unit, $with, $failure) };
  print STDERR "envs: $@" if $@;
  POSIX::_exit($STATUS{EXEC});
}

sub become {
  my ($unit, $with, $failure) = @_;
  my ($account, $variables, $command) = @$with{qw(account variables command)};
  $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP CHLD PIPE USR1 USR2 PWR), 'NUM37', 'NUM38', 'NUM39';
  # Services expect it, as a shell's pipelines do, only when their unit says so.
  $SIG{PIPE} = 'IGNORE' if UnitFile::is_true($unit, 'Service.IgnoreSIGPIPE', 'yes');
  POSIX::setsid();
  place_streams($unit, $with);
  my @passed = place_sockets($with->{sockets} // []);
  set_limits($unit);
  umask oct UnitFile::value($unit, 'Service.UMask', '0022');
  my @wrapped = change_user($unit, $with);
  my $folder = UnitFile::value($unit, 'Service.WorkingDirectory', '/');
  my $is_optional = $folder =~ s/^-//;
  $folder = $account->{home} if $folder eq '~';
  chdir $folder or $is_optional or leave('CHDIR', "$folder: $!");
  if (@passed) { @$variables{qw(LISTEN_FDS LISTEN_PID LISTEN_FDNAMES)} = (scalar @passed, $$, join ':', @{$with->{socket_names} // []}) }
  my ($program, @argv) = Command::argv($command, $variables);
  leave('EXEC', 'no program') unless defined $program;
  # The name that a program has for itself is lost in a wrapper.
  ($program, @argv) = ($wrapped[0], @wrapped, $program, @argv[1 .. $#argv]) if @wrapped;
  %ENV = %$variables;
  no warnings 'exec';
  exec { $program } @argv or leave('EXEC', "$program: $!");
}

sub leave {
  my ($status, $text) = @_;
  print STDERR "envs: $text\n";
  STDERR->flush;
  POSIX::_exit($STATUS{$status});
}

sub place_streams {
  my ($unit, $with) = @_;
  my %setting = map { $_ => UnitFile::value($unit, "Service.Standard$_", '') } qw(Input Output Error);
  my $socket = $with->{standard_input};
  if ($socket) { open(STDIN, '<&', $socket) or leave('STDIN', "the socket: $!") }
  elsif ($setting{Input} =~ /^file:(.+)/) { open(STDIN, '<', $1) or leave('STDIN', "$1: $!") }
  else { open(STDIN, '<', '/dev/null') }
  open_output(\*STDOUT, $setting{Output} || ($socket ? 'inherit' : 'journal'), $socket, $with->{log});
  open_output(\*STDERR, $setting{Error} || 'inherit', \*STDOUT, $with->{log});
}

sub open_output {
  my ($stream, $setting, $inherited, $log) = @_;
  if    ($setting eq 'null')                                { open($stream, '>', '/dev/null') }
  elsif ($setting =~ /^(?:inherit|socket)$/ && $inherited)  { open($stream, '>&', $inherited) }
  elsif ($setting =~ /^file:(.+)/)                          { open($stream, '+<', $1) or open($stream, '>', $1) }
  elsif ($setting =~ /^append:(.+)/)                        { open($stream, '>>', $1) }
  elsif ($setting =~ /^truncate:(.+)/)                      { open($stream, '>', $1) }
  elsif ($log)                                              { open($stream, '>&', $log) }
  else                                                      { open($stream, '>', '/dev/null') }
}

# Sockets are passed as descriptors from 3 on. See sd_listen_fds(3).
sub place_sockets {
  my ($sockets) = @_;
  my @moved = map { copy_above($_) } @$sockets;
  for my $index (0 .. $#moved) { POSIX::dup2($moved[$index], 3 + $index) }
  POSIX::close($_) for @moved;
  return @moved;
}

# A copy above all that will be placed.
sub copy_above {
  my ($handle) = @_;
  return fcntl($handle, F_DUPFD, 100) || leave('STDIN', "a socket: $!");
}

sub set_limits {
  my ($unit) = @_;
  set_limit('LOCKS', $unit->{mark}, $INFINITY);
  for my $name (grep { $_ ne 'LOCKS' } keys %RESOURCE) {
    my $text = UnitFile::value($unit, "Service.Limit$name", '');
    next unless length $text;
    my ($soft, $hard) = map { limit_of($_) } split /:/, $text;
    next unless defined $soft;
    # An ordinary user can't raise the limit of the host: then the highest that is allowed.
    set_limit($name, $soft, $hard // $soft) or raise_limit($name, $soft);
  }
  my $nice = UnitFile::value($unit, 'Service.Nice', '');
  setpriority 0, 0, $nice if $nice =~ /^-?\d+$/;
  if (UnitFile::value($unit, 'Service.OOMScoreAdjust', '') =~ /^(-?\d+)$/) {
    if (open(my $file, '>', '/proc/self/oom_score_adj')) { syswrite $file, $1 }
  }
}

sub limit_of {
  my ($text) = @_;
  return $INFINITY if $text eq 'infinity';
  my %factor = ('' => 1, K => 1 << 10, M => 1 << 20, G => 1 << 30, T => 1 << 40);
  return $text =~ /^(\d+)([KMGT]?)$/ ? $1 * $factor{$2} : undef;
}

sub set_limit {
  my ($name, $soft, $hard) = @_;
  my $new = pack('QQ', $soft, $hard);
  return syscall($nr_prlimit64, 0, $RESOURCE{$name}, $new, 0) == 0;
}

sub raise_limit {
  my ($name, $soft) = @_;
  my $old = pack('QQ', 0, 0);
  syscall($nr_prlimit64, 0, $RESOURCE{$name}, 0, $old);
  my (undef, $hard) = unpack 'QQ', $old;
  set_limit($name, $soft < $hard ? $soft : $hard, $hard);
}

# Returns the words that come before the command: a program that changes what Perl can't.
sub change_user {
  my ($unit, $with) = @_;
  my ($account, $command) = @$with{qw(account command)};
  return if $command->{is_privileged} || $account->{uid} == 0 && $account->{gid} == 0;
  return ('/usr/sbin/runuser', '-u', $account->{name}, '--') if Account::has_one_id();
  my @groups = Account::groups($unit, $account);
  my @kept = map { lc s/^CAP_/+/r } grep { /^CAP_\w+$/ } UnitFile::words_of($unit, 'Service.AmbientCapabilities');
  if (@kept && -x '/usr/bin/setpriv') {
    my $kept = join ',', @kept;
    return ('/usr/bin/setpriv', "--reuid=$account->{uid}", "--regid=$groups[0]", '--groups=' . join(',', @groups),
      "--inh-caps=$kept", "--ambient-caps=$kept", '--');
  }
  $) = join ' ', $groups[0], @groups;
  $( = $groups[0];
  ($<, $>) = ($account->{uid}, $account->{uid});
  leave('USER', "user $account->{name}: $!") if $> != $account->{uid} || $< != $account->{uid};
  return;
}

# ---- finding processes

# Returns the processes of a unit: those with its mark, and descendants that lost it to a program that sets all limits.
sub members {
  my ($unit) = @_;
  return unless $unit->{mark};
  my (%is_member, %parent);
  opendir(my $proc, '/proc') or return;
  for my $pid (grep { /^\d+$/ && $_ > 1 } readdir $proc) {
    # No limits can be read of a process that has ended and waits for its parent.
    my $status = line_of("/proc/$pid/stat", qr/\) (\S) (\d+) /) // next;
    next if $status->[0] eq 'Z';
    $parent{$pid} = $status->[1];
    my $mark = line_of("/proc/$pid/limits", qr/^Max file locks +(\d+) /m) // next;
    $is_member{$pid} = 1 if $mark->[0] eq $unit->{mark};
  }
  my $has_grown = 1;
  while ($has_grown) {
    my @found = grep { !$is_member{$_} && $is_member{$parent{$_}} } keys %parent;
    $is_member{$_} = 1 for @found;
    $has_grown = @found;
  }
  # A sort has no value where a number is wanted.
  my @found = sort { $a <=> $b } keys %is_member;
  return @found;
}

sub line_of {
  my ($path, $pattern) = @_;
  open(my $file, '<', $path) or return;
  local $/;
  my @found = (<$file> // '') =~ $pattern;
  return @found ? \@found : undef;
}

sub is_alive {
  my ($pid) = @_;
  my $status = line_of("/proc/$pid/stat", qr/\) (\S) /) // return 0;
  return $status->[0] ne 'Z';
}

sub parent_of {
  my ($pid) = @_;
  my $found = line_of("/proc/$pid/stat", qr/\) \S (\d+) /) // return 0;
  return $found->[0];
}

sub kill_all {
  my ($unit, $signal) = @_;
  kill $signal => members($unit);
}

1;
