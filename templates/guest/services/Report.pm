# Describes units: properties as "systemctl show" has them, and texts for people.
package Report;
use v5.12;
use warnings;
use POSIX ();
use Jobs;
use Links;
use Logs;
use Loop;
use Process;
use Result;
use UnitFile;
use Units;

# In the order in which they are shown. See org.freedesktop.systemd1(5).
my @PROPERTIES = (
  [Type => sub { Units::kind_of($_[0]) eq 'service' ? Service::type_of($_[0]) : undef }],
  [Restart => sub { Units::kind_of($_[0]) eq 'service' ? UnitFile::value($_[0], 'Service.Restart', 'no') : undef }],
  [MainPID => sub { Units::kind_of($_[0]) eq 'service' ? $_[0]{main} // 0 : undef }],
  [ControlPID => sub { Units::kind_of($_[0]) eq 'service' ? $_[0]{control} // 0 : undef }],
  [ExecMainPID => sub { Units::kind_of($_[0]) eq 'service' ? $_[0]{main} // 0 : undef }],
  [ExecMainStatus => sub { Units::kind_of($_[0]) eq 'service' ? exit_status($_[0]) : undef }],
  [ExecMainCode => sub { Units::kind_of($_[0]) eq 'service' ? exit_code($_[0]) : undef }],
  [NRestarts => sub { Units::kind_of($_[0]) eq 'service' ? $_[0]{restarts} // 0 : undef }],
  [StatusText => sub { $_[0]{text} // '' }],
  [Result => sub { $_[0]{result} }],
  [Triggers => sub { Units::kind_of($_[0]) =~ /^(?:socket|timer|path)$/ ? Units::triggered_by($_[0]) : undef }],
  [Listen => sub { Units::kind_of($_[0]) eq 'socket' ? join(' ', listened($_[0])) : undef }],
  [NextElapseUSecRealtime => sub { Units::kind_of($_[0]) eq 'timer' ? date_of($_[0]{next} && time + $_[0]{next} - Loop::now()) : undef }],
  [Id => sub { $_[0]{name} }],
  [Names => sub { $_[0]{name} }],
  [Requires => sub { join ' ', Units::requires($_[0]) }],
  [Wants => sub { join ' ', Units::wants($_[0]) }],
  [After => sub { join ' ', sort keys %{Units::after($_[0])} }],
  [Description => sub { UnitFile::value($_[0], 'Unit.Description', $_[0]{name}) }],
  [LoadState => sub { $_[0]{load_state} }],
  [ActiveState => sub { $_[0]{state} }],
  [SubState => sub { $_[0]{sub} }],
  [FragmentPath => sub { $_[0]{path} // '' }],
  [DropInPaths => sub { join ' ', @{$_[0]{drop_ins}} }],
  [UnitFileState => sub { Links::state_of($_[0]{name}) }],
  [StateChangeTimestamp => sub { date_of($_[0]{since}) }],
  [InactiveExitTimestamp => sub { date_of($_[0]{activating_since}) }],
  [ActiveEnterTimestamp => sub { date_of($_[0]{active_since}) }],
  [InactiveEnterTimestamp => sub { date_of($_[0]{inactive_since} // $_[0]{failed_since}) }],
  [InvocationID => sub { $_[0]{invocation} // '' }],
  [ConditionResult => sub { defined $_[0]{condition_unmet} ? 'no' : 'yes' }],
  [CanStart => sub { 'yes' }],
  [CanReload => sub { UnitFile::values_of($_[0], 'Service.ExecReload') ? 'yes' : 'no' }],
  [NeedDaemonReload => sub { 'no' }],
  [ControlGroup => sub { '' }],
);
my %ROW = map { $_->[0] => $_->[1] } @PROPERTIES;
my $LOG_LINES = 10;

sub date_of {
  my ($time) = @_;
  return $time ? POSIX::strftime('%a %Y-%m-%d %H:%M:%S UTC', gmtime $time) : '';
}

# 1 exited, 2 killed, 3 dumped: the values of CLD_* in sigaction(2).
sub exit_code {
  my ($unit) = @_;
  my $status = $unit->{status} // return 0;
  return $status & 128 ? 3 : $status & 127 ? 2 : 1;
}

sub exit_status {
  my ($unit) = @_;
  my $status = $unit->{status} // return $unit->{sub} eq 'failed' && $unit->{error} ? 1 : 0;
  return $status & 127 ? $status & 127 : $status >> 8;
}

sub listened {
  my ($unit) = @_;
  return map { my $key = $_; map { "$_ (" . ($key =~ s/^Listen//r) . ')' } UnitFile::values_of($unit, "Socket.$key") } qw(ListenStream ListenDatagram ListenSequentialPacket ListenFIFO);
}

# Returns NAME=VALUE lines; only values with $is_bare. @param $wanted - names, or none for all.
sub properties {
  my ($unit, $wanted, $is_bare) = @_;
  my @names = @$wanted ? grep { $ROW{$_} } @$wanted : map { $_->[0] } @PROPERTIES;
  # Properties are one line each.
  my @rows = map { my $value = $ROW{$_}->($unit); defined $value ? [$_, $value =~ tr/\n/ /r] : () } @names;
  return join '', map { $is_bare ? "$_->[1]\n" : "$_->[0]=$_->[1]\n" } @rows;
}

# Of the manager itself: "systemctl show" without a unit.
sub manager_properties {
  my ($wanted, $is_bare) = @_;
  my %value = (Version => 'envs', SystemState => system_state(), Environment => '', NFailedUnits => scalar(failed()), NJobs => Jobs::count(), Virtualization => 'container-other');
  my @names = @$wanted ? grep { exists $value{$_} } @$wanted : sort keys %value;
  return join '', map { $is_bare ? "$value{$_}\n" : "$_=$value{$_}\n" } @names;
}

sub failed { return grep { $_->{state} eq 'failed' } Units::loaded() }

our ($is_booting, $is_stopping) = (1, 0);

sub system_state {
  return 'stopping' if $is_stopping;
  return 'starting' if $is_booting;
  return failed() ? 'degraded' : 'running';
}

sub ago {
  my ($time) = @_;
  my $seconds = time - $time;
  return $seconds < 120 ? "${seconds}s ago" : $seconds < 7200 ? int($seconds / 60) . 'min ago' : int($seconds / 3600) . 'h ago';
}

sub status {
  my ($unit) = @_;
  my $text = "$unit->{name} - " . UnitFile::value($unit, 'Unit.Description', $unit->{name}) . "\n";
  my $file_state = Links::state_of($unit->{name});
  $text .= "     Loaded: $unit->{load_state}" . ($unit->{path} ? " ($unit->{path}" . (length $file_state ? "; $file_state" : '') . ')' : '') . "\n";
  $text .= "     Active: $unit->{state} ($unit->{sub})" . ($unit->{since} ? ' since ' . date_of($unit->{since}) . '; ' . ago($unit->{since}) : '') . "\n";
  $text .= "  Condition: not met: $unit->{condition_unmet}\n" if defined $unit->{condition_unmet};
  $text .= "     Result: $unit->{result}: $unit->{error}\n" if $unit->{result} ne 'success' && defined $unit->{error};
  $text .= "   Triggers: " . Units::triggered_by($unit) . "\n" if Units::kind_of($unit) =~ /^(?:socket|timer)$/;
  $text .= "     Listen: " . join(' ', listened($unit)) . "\n" if Units::kind_of($unit) eq 'socket';
  $text .= "   Main PID: $unit->{main}\n" if $unit->{main};
  $text .= "     Status: \"$unit->{text}\"\n" if defined $unit->{text};
  for my $pid (Process::members($unit)) { $text .= "             $pid " . command_of($pid) . "\n" }
  my @lines = Logs::tail($unit->{name}, $LOG_LINES);
  return $text . (@lines ? join '', "\n", @lines : '');
}

sub command_of {
  my ($pid) = @_;
  open(my $file, '<', "/proc/$pid/cmdline") or return '';
  my $line = <$file> // '';
  $line =~ tr/\0/ /;
  $line =~ s/[^\x20-\x7e]/?/g;
  return $line;
}

# Rows of equal columns.
sub table {
  my (@rows) = @_;
  my @width;
  for my $row (@rows) {
    for my $index (0 .. $#$row - 1) { $width[$index] = length $row->[$index] if length $row->[$index] > ($width[$index] // 0) }
  }
  return join '', map { my $row = $_; join(' ', map { $_ < $#$row ? sprintf "%-$width[$_]s", $row->[$_] : $row->[$_] } 0 .. $#$row) =~ s/\s*$/\n/r } @rows;
}

1;
