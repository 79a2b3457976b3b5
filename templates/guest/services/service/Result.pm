# How a process has ended, what that means for its service, and whether the service starts again. See "Restart=" in systemd.service(5).
package Result;
use v5.12;
use warnings;
use POSIX ();
use Loop;
use Text;
use UnitFile;

my %NUMBER = (HUP => 1, INT => 2, QUIT => 3, ILL => 4, TRAP => 5, ABRT => 6, BUS => 7, FPE => 8, KILL => 9, USR1 => 10, SEGV => 11, USR2 => 12,
  PIPE => 13, ALRM => 14, TERM => 15, STKFLT => 16, CHLD => 17, CONT => 18, STOP => 19, TSTP => 20, TTIN => 21, TTOU => 22, URG => 23,
  XCPU => 24, XFSZ => 25, VTALRM => 26, PROF => 27, WINCH => 28, IO => 29, PWR => 30, SYS => 31, RTMIN => 34, RTMAX => 64);
my %NAME = reverse %NUMBER;
my %CLEAN_SIGNAL = map { $NUMBER{$_} => 1 } qw(HUP INT TERM PIPE);
my ($DEFAULT_BURST, $DEFAULT_INTERVAL) = (5, '10s');
# Of SuccessExitStatus= and its like, by name. See sysexits(3).
my %EXIT_CODE = (SUCCESS => 0, FAILURE => 1, TEMPFAIL => 75, USAGE => 64, DATAERR => 65, NOINPUT => 66, NOUSER => 67, NOHOST => 68,
  UNAVAILABLE => 69, SOFTWARE => 70, OSERR => 71, OSFILE => 72, CANTCREAT => 73, IOERR => 74, PROTOCOL => 76, NOPERM => 77, CONFIG => 78);

# Returns the number of "TERM", "RTMIN+3" or "15"; undef for an unknown name.
sub signal_number {
  my ($name) = @_;
  $name =~ s/^SIG//;
  return $name if $name =~ /^\d+$/ && $name > 0 && $name <= 64;
  return $NUMBER{$1} + $2 if $name =~ /^(RTMIN)\+(\d+)$/ && $2 <= 30;
  return $NUMBER{$name};
}

sub told {
  my ($status) = @_;
  my $signal = $status & 127;
  return $signal ? 'killed by signal ' . ($NAME{$signal} // $signal) : 'exit status ' . ($status >> 8);
}

sub of_status {
  my ($status) = @_;
  return 'success' if $status == 0;
  return $status & 128 ? 'core-dump' : $status & 127 ? 'signal' : 'exit-code';
}

# EXIT_CODE and EXIT_STATUS for ExecStopPost=.
sub code_and_status {
  my ($unit) = @_;
  my $status = $unit->{status} // return ('', '');
  my $signal = $status & 127;
  return $signal ? ($status & 128 ? 'dumped' : 'killed', $NAME{$signal} // $signal) : ('exited', $status >> 8);
}

sub is_in {
  my ($unit, $key, $status) = @_;
  my ($signal, $code) = ($status & 127, $status >> 8);
  for my $word (UnitFile::words_of($unit, $key)) {
    my $number = signal_number($word);
    return 1 if $signal ? $word =~ /^(?:SIG)?[A-Z]/ && ($number // 0) == $signal : $word =~ /^\d+$/ ? $word == $code : ($EXIT_CODE{$word} // -1) == $code;
  }
  return 0;
}

sub is_clean {
  my ($unit, $status) = @_;
  my $signal = $status & 127;
  return 1 if $status == 0 || is_in($unit, 'Service.SuccessExitStatus', $status);
  return $signal && $CLEAN_SIGNAL{$signal} && Service::type_of($unit) ne 'oneshot' ? 1 : 0;
}

my %RESTARTS = (
  'no'          => {},
  'on-success'  => {map { $_ => 1 } qw(success)},
  'on-failure'  => {map { $_ => 1 } qw(exit-code signal core-dump timeout watchdog protocol resources oom-kill)},
  'on-abnormal' => {map { $_ => 1 } qw(signal core-dump timeout watchdog)},
  'on-abort'    => {map { $_ => 1 } qw(signal core-dump)},
  'on-watchdog' => {map { $_ => 1 } qw(watchdog)},
  'always'      => {map { $_ => 1 } qw(success exit-code signal core-dump timeout watchdog protocol resources oom-kill)},
);

sub wants_restart {
  my ($unit) = @_;
  my $status = $unit->{status};
  return 0 if $unit->{result} =~ /^(?:start-limit-hit|assert)$/ || defined $unit->{condition_unmet};
  if (defined $status) {
    return 0 if is_in($unit, 'Service.RestartPreventExitStatus', $status);
    return 1 if is_in($unit, 'Service.RestartForceExitStatus', $status);
  }
  my $rule = UnitFile::value($unit, 'Service.Restart', 'no');
  return $RESTARTS{$rule}{$unit->{result}} ? 1 : 0;
}

# Counts a start; returns whether there were too many in a short time.
sub may_start {
  my ($unit) = @_;
  my $burst = UnitFile::value($unit, 'Unit.StartLimitBurst', UnitFile::value($unit, 'Service.StartLimitBurst', $DEFAULT_BURST));
  my $interval = Text::seconds(UnitFile::value($unit, 'Unit.StartLimitIntervalSec',
      UnitFile::value($unit, 'Service.StartLimitInterval', UnitFile::value($unit, 'Unit.StartLimitInterval', $DEFAULT_INTERVAL))));
  return 1 unless $interval && $burst =~ /^\d+$/ && $burst > 0;
  my $now = Loop::now();
  my @recent = grep { $_ > $now - $interval } @{$unit->{starts} // []};
  if (@recent >= $burst) { return 0 }
  $unit->{starts} = [@recent, $now];
  return 1;
}

1;
