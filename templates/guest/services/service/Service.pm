# The parts that a service's start, reload and end share: its type, its deadlines, and the commands that run one after another. See
# systemd.service(5).
#
# A unit in a change has {queue}, the commands that are left, and {then}, which follows them. {main} and {control} are its main
# process and the command that runs now; %by_pid finds the unit of both.
package Service;
use v5.12;
use warnings;
use Account;
use Command;
use Jobs;
use Listeners;
use Logs;
use Loop;
use Process;
use Result;
use ServiceEnd;
use ServiceStart;
use Text;
use UnitFile;
use Units;

my $DEFAULT_TIMEOUT = '90s';

my %by_pid;

$Jobs::kind{service} = {start => \&ServiceStart::begin_start, stop => \&ServiceEnd::begin_stop};

sub type_of {
  my ($unit) = @_;
  my $default = UnitFile::values_of($unit, 'Service.ExecStart') ? UnitFile::value($unit, 'Service.BusName') ? 'dbus' : 'simple' : 'oneshot';
  return UnitFile::value($unit, 'Service.Type', $default);
}

# The unit that a process belongs to; for lines of syslog.
sub of_process {
  my ($pid) = @_;
  return $by_pid{$pid}{unit} if $by_pid{$pid};
  my $mark = Process::line_of("/proc/$pid/limits", qr/^Max file locks +(\d+) /m) // return;
  return (grep { ($_->{mark} // 0) eq $mark->[0] } Units::loaded())[0];
}

sub start_timeout {
  my ($unit) = @_;
  my $default = type_of($unit) eq 'oneshot' ? 'infinity' : $DEFAULT_TIMEOUT;
  my $seconds = Text::seconds(UnitFile::value($unit, 'Service.TimeoutStartSec', UnitFile::value($unit, 'Service.TimeoutSec', $default)));
  return $seconds || undef;
}

sub stop_timeout {
  my ($unit) = @_;
  my $seconds = Text::seconds(UnitFile::value($unit, 'Service.TimeoutStopSec', UnitFile::value($unit, 'Service.TimeoutSec', $DEFAULT_TIMEOUT)));
  return $seconds || undef;
}

sub set_deadline {
  my ($unit, $seconds, $what) = @_;
  Loop::cancel(delete $unit->{deadline});
  return unless defined $seconds;
  $unit->{deadline} = Loop::after($seconds, sub { delete $unit->{deadline}; is_late($unit, $what) });
}

sub is_late {
  my ($unit, $what) = @_;
  Logs::note($unit, "took longer than $what allows");
  if ($unit->{state} eq 'activating') { return ServiceEnd::fail($unit, 'timeout', "not up within $what") }
  $unit->{result} = 'timeout' if $unit->{result} eq 'success';
  if ($unit->{control}) { kill KILL => $unit->{control} }
  if ($unit->{state} eq 'reloading') { return Jobs::set_state($unit, 'active', 'running') }
  ServiceEnd::end_processes($unit, 'KILL');
}

# Runs commands one after another; then calls $then.
sub run_queue {
  my ($unit, $commands, $then) = @_;
  @$unit{qw(queue then)} = ($commands, $then);
  run_next($unit);
}

sub run_next {
  my ($unit) = @_;
  my $command = shift @{$unit->{queue}};
  if (!$command) {
    my $then = delete $unit->{then} // return;
    return $then->($unit);
  }
  $unit->{sub} = $command->{sub};
  my ($pid, $is_running) = launch($unit, $command);
  return ServiceEnd::fail($unit, 'resources', "no process for $command->{text}") unless $pid;
  my $type = $command->{sub} eq 'start' ? type_of($unit) : 'control';
  $by_pid{$pid} = {unit => $unit, command => $command};
  if ($type =~ /^(?:forking|control)$/) {
    $unit->{control} = $pid;
    return;
  }
  $unit->{main} = $pid;
  return if $type eq 'oneshot' || $type =~ /^notify/;
  if ($type eq 'exec') { return Loop::watch($is_running, sub { Loop::unwatch($is_running); close $is_running; run_next($unit) if $unit->{state} eq 'activating' }) }
  return ServiceStart::wait_for_bus($unit) if $type eq 'dbus';
  run_next($unit);
}

sub launch {
  my ($unit, $command) = @_;
  my $account = $unit->{account} //= Account::of_unit($unit) // return;
  my $variables = Command::variables($unit, $account);
  if (!$variables) {
    Logs::note($unit, 'a file of EnvironmentFile= is missing');
    return;
  }
  $variables->{MAINPID} = $unit->{main} if $unit->{main};
  $variables->{NOTIFY_SOCKET} = $unit->{notice_path} if $unit->{notice_path};
  @$variables{qw(SERVICE_RESULT EXIT_CODE EXIT_STATUS)} = ($unit->{result}, Result::code_and_status($unit)) if $command->{sub} =~ /^stop/;
  my $log = Logs::open_pipe($unit);
  my %passed = $command->{sub} eq 'start' ? %{$unit->{passed} // Listeners::of_service($unit)} : ();
  my ($pid, $is_running) = Process::start($unit, {command => $command, account => $account, variables => $variables, log => $log, %passed});
  close $log if $log;
  return ($pid, $is_running);
}

# A process that this program did not start as the unit's main one.
sub remember {
  my ($unit, $pid) = @_;
  $by_pid{$pid} //= {unit => $unit, command => {sub => 'start', ignores_failure => 0}};
}

sub process_ended {
  my ($pid, $status) = @_;
  my $entry = delete $by_pid{$pid} or return ServiceEnd::check_headless();
  my ($unit, $command) = @$entry{qw(unit command)};
  my $is_clean = Result::is_clean($unit, $status) || $command->{ignores_failure};
  if (($unit->{control} // 0) == $pid) {
    $unit->{control} = undef;
    return ServiceEnd::control_ended($unit, $command, $status, $is_clean);
  }
  return unless ($unit->{main} // 0) == $pid;
  @$unit{qw(main status)} = (undef, $status);
  ServiceEnd::main_ended($unit, $status, $is_clean);
}

# Calls $done with whether it went well.
sub reload {
  my ($unit, $done) = @_;
  my @commands = map { {%$_, sub => 'reload'} } Command::lines($unit, 'ExecReload');
  my $is_by_signal = type_of($unit) eq 'notify-reload' && !@commands;
  return $done->(0) if $unit->{state} ne 'active' || !@commands && !$is_by_signal;
  $unit->{on_reload} = $done;
  Jobs::set_state($unit, 'reloading', 'reload');
  set_deadline($unit, start_timeout($unit), 'TimeoutStartSec=');
  if ($is_by_signal) {
    kill Result::signal_number(UnitFile::value($unit, 'Service.ReloadSignal', 'SIGHUP') =~ s/^SIG//r) // 1, $unit->{main} if $unit->{main};
    return;
  }
  run_queue($unit, \@commands, \&end_reload);
}

sub end_reload {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{deadline});
  Jobs::set_state($unit, 'active', 'running');
  my $done = delete $unit->{on_reload};
  $done->(1) if $done;
}

1;
