# The life of a service: from its start through its commands to its end, and its restart. See systemd.service(5).
#
# A unit in a change has {queue}, the commands that are left, and {then}, which follows them. {main} and {control} are its main
# process and the command that runs now; %by_pid finds the unit of both.
package Service;
use v5.12;
use warnings;
use Account;
use Command;
use Conditions;
use Jobs;
use Listeners;
use Logs;
use Loop;
use Notices;
use Process;
use Result;
use Text;
use Timers;
use UnitFile;
use Units;

my $KILL_POLL_SECONDS = 0.1;
my $PID_FILE_POLL_SECONDS = 0.05;
my $BUS_POLL_SECONDS = 0.1;
my $DEFAULT_TIMEOUT = '90s';

my %by_pid;

$Jobs::kind{service} = {start => \&begin_start, stop => \&begin_stop};

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

# ---- start

sub begin_start {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{restart_timer});
  delete $unit->{is_restarting};
  $unit->{condition_unmet} = undef;
  if (defined(my $unmet = Conditions::unmet($unit, 'Condition'))) {
    $unit->{condition_unmet} = $unmet;
    Jobs::set_state($unit, 'inactive', 'dead');
    return Jobs::finish($unit, 'skipped');
  }
  @$unit{qw(result status main control error invocation)} = ('success', undef, undef, undef, undef, new_id());
  delete @$unit{qw(is_up stop_asked)};
  Jobs::set_state($unit, 'activating', 'start-pre');
  if (defined(my $unmet = Conditions::unmet($unit, 'Assert'))) { return fail($unit, 'assert', "$unmet does not hold") }
  if (!Result::may_start($unit)) { return fail($unit, 'start-limit-hit', 'started too often') }
  my $account = $unit->{account} = Account::of_unit($unit)
    or return fail($unit, 'exit-code', 'no user "' . UnitFile::value($unit, 'Service.User', '') . '" or no such group');
  if (defined(my $path = Account::make_folders($unit, $account))) { return fail($unit, 'resources', "could not make $path") }
  Notices::listen_for($unit, $account, \&take_notice) if type_of($unit) =~ /^notify/ || UnitFile::value($unit, 'Service.NotifyAccess', 'none') ne 'none';
  set_deadline($unit, start_timeout($unit), 'TimeoutStartSec=');
  my @commands = map { my ($key, $sub) = @$_; map { {%$_, sub => $sub} } Command::lines($unit, $key) }
    [ExecCondition => 'condition'], [ExecStartPre => 'start-pre'], [ExecStart => 'start'], [ExecStartPost => 'start-post'];
  run_queue($unit, \@commands, \&has_started);
}

sub new_id { return join '', map { sprintf '%08x', int rand 2**32 } 1 .. 4 }

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
  if ($unit->{state} eq 'activating') { return fail($unit, 'timeout', "not up within $what") }
  $unit->{result} = 'timeout' if $unit->{result} eq 'success';
  if ($unit->{control}) { kill KILL => $unit->{control} }
  if ($unit->{state} eq 'reloading') { return Jobs::set_state($unit, 'active', 'running') }
  end_processes($unit, 'KILL');
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
  return fail($unit, 'resources', "no process for $command->{text}") unless $pid;
  my $type = $command->{sub} eq 'start' ? type_of($unit) : 'control';
  $by_pid{$pid} = {unit => $unit, command => $command};
  if ($type =~ /^(?:forking|control)$/) {
    $unit->{control} = $pid;
    return;
  }
  $unit->{main} = $pid;
  return if $type eq 'oneshot' || $type =~ /^notify/;
  if ($type eq 'exec') { return Loop::watch($is_running, sub { Loop::unwatch($is_running); close $is_running; run_next($unit) if $unit->{state} eq 'activating' }) }
  return wait_for_bus($unit) if $type eq 'dbus';
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

# The bus is asked, because its name is the sign that a service of this type is up.
sub wait_for_bus {
  my ($unit) = @_;
  my $name = UnitFile::value($unit, 'Service.BusName', '');
  my ($program) = grep { -x } '/usr/bin/dbus-send';
  return run_next($unit) if !$program || $name !~ /^[\w.-]+$/;
  my $main = $unit->{main};
  my @words = ($program, qw(--system --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner), "string:$name");
  pipe(my $reader, my $writer) or return run_next($unit);
  defined(my $pid = fork) or return run_next($unit);
  if (!$pid) {
    open(STDOUT, '>&', $writer);
    open(STDERR, '>', '/dev/null');
    exec @words or POSIX::_exit(1);
  }
  close $writer;
  Loop::watch($reader, sub {
    sysread $reader, my $answer, 4096;
    Loop::unwatch($reader);
    close $reader;
    return if $unit->{state} ne 'activating' || ($unit->{main} // 0) != $main;
    return run_next($unit) if ($answer // '') =~ /true/;
    Loop::after($BUS_POLL_SECONDS, sub { wait_for_bus($unit) if $unit->{state} eq 'activating' && ($unit->{main} // 0) == $main });
  });
}

sub has_started {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{deadline});
  $unit->{is_up} = 1;
  my $remains = UnitFile::is_true($unit, 'Service.RemainAfterExit');
  my $is_running = $unit->{main} || type_of($unit) eq 'forking' && (!$remains || Process::members($unit));
  if ($is_running || $remains) {
    Jobs::set_state($unit, 'active', $is_running ? 'running' : 'exited');
    return Jobs::finish($unit, 'done');
  }
  return end_of_life($unit);
}

# A forking service's first process has ended: the other one is in its PID file, or the only child.
sub find_main {
  my ($unit, $tries) = @_;
  my $path = UnitFile::value($unit, 'Service.PIDFile');
  if (defined $path) {
    $path = "/run/$path" unless $path =~ m{^/};
    my ($pid) = (UnitFile::text_of($path) // '') =~ /^\s*(\d+)/;
    return adopt_main($unit, $pid) if defined $pid && $pid > 1 && Process::is_alive($pid);
    # Some write it after their parent has ended.
    if (Process::members($unit)) {
      return Loop::after($PID_FILE_POLL_SECONDS, sub { find_main($unit, $tries + 1) if $unit->{state} eq 'activating' });
    }
    return fail($unit, 'protocol', "no process for $path");
  }
  if (UnitFile::is_true($unit, 'Service.GuessMainPID', 'yes')) {
    my @orphans = grep { Process::parent_of($_) == $$ } Process::members($unit);
    return adopt_main($unit, $orphans[0]) if @orphans == 1;
  }
  run_next($unit);
}

sub adopt_main {
  my ($unit, $pid) = @_;
  $unit->{main} = $pid;
  $by_pid{$pid} //= {unit => $unit, command => {sub => 'start', ignores_failure => 0}};
  run_next($unit) if $unit->{state} eq 'activating';
}

# A message of the service's to its notification socket. See sd_notify(3).
sub take_notice {
  my ($unit, $notice) = @_;
  if (defined(my $pid = $notice->{MAINPID})) { adopt_known_main($unit, $pid) }
  $unit->{text} = $notice->{STATUS} if defined $notice->{STATUS};
  if (($notice->{EXTEND_TIMEOUT_USEC} // '') =~ /^(\d+)$/ && $unit->{deadline}) { set_deadline($unit, $1 / 1e6, 'EXTEND_TIMEOUT_USEC=') }
  if ($notice->{READY} && $unit->{state} eq 'activating' && $unit->{sub} eq 'start' && type_of($unit) =~ /^notify/) { return run_next($unit) }
  if ($notice->{READY} && $unit->{state} eq 'reloading' && !$unit->{control}) { return end_reload($unit) }
  if ($notice->{STOPPING} && $unit->{state} eq 'active') { $unit->{sub} = 'stop' }
}

sub adopt_known_main {
  my ($unit, $pid) = @_;
  return unless $pid =~ /^\d+$/ && grep { $_ == $pid } Process::members($unit);
  $unit->{main} = $pid;
  $by_pid{$pid} //= {unit => $unit, command => {sub => 'start', ignores_failure => 0}};
}

# ---- the end of processes

sub process_ended {
  my ($pid, $status) = @_;
  my $entry = delete $by_pid{$pid} or return;
  my ($unit, $command) = @$entry{qw(unit command)};
  my $is_clean = Result::is_clean($unit, $status) || $command->{ignores_failure};
  if (($unit->{control} // 0) == $pid) {
    $unit->{control} = undef;
    return control_ended($unit, $command, $status, $is_clean);
  }
  return unless ($unit->{main} // 0) == $pid;
  @$unit{qw(main status)} = (undef, $status);
  main_ended($unit, $status, $is_clean);
}

sub control_ended {
  my ($unit, $command, $status, $is_clean) = @_;
  my $sub = $command->{sub};
  if ($sub eq 'condition') {
    return run_next($unit) if $is_clean;
    # 1 to 254 mean that there is nothing to do; 255 and signals are failures.
    return fail($unit, Result::of_status($status), 'ExecCondition= failed') if $status & 127 || $status >> 8 == 255;
    @$unit{qw(queue condition_unmet)} = ([], 'ExecCondition=');
    return end_processes($unit, 'TERM');
  }
  # A failed command that stops ends nothing early.
  if ($sub =~ /^stop|^reload/ || $is_clean) {
    return find_main($unit, 0) if $sub eq 'start' && type_of($unit) eq 'forking';
    return run_next($unit);
  }
  $unit->{status} = $status if $sub eq 'start';
  fail($unit, Result::of_status($status), "$command->{text}: " . Result::told($status));
}

sub main_ended {
  my ($unit, $status, $is_clean) = @_;
  my $state = $unit->{state};
  if ($state eq 'activating') {
    return run_next($unit) if $is_clean && type_of($unit) eq 'oneshot';
    return fail($unit, Result::of_status($status), Result::told($status)) unless $is_clean;
    return fail($unit, 'protocol', 'ended before it was ready') if type_of($unit) =~ /^(?:notify|dbus)/;
    # ExecStartPost= of a short process goes on.
    return;
  }
  # A daemon that replaces itself leaves the number of the new one.
  if ($state eq 'active' && defined(my $path = UnitFile::value($unit, 'Service.PIDFile'))) {
    my ($next) = (UnitFile::text_of($path) // '') =~ /^\s*(\d+)/;
    return adopt_main($unit, $next) if defined $next && grep { $_ == $next } Process::members($unit);
  }
  $unit->{result} = Result::of_status($status) if !$is_clean && $unit->{result} eq 'success';
  $unit->{error} = Result::told($status) unless $is_clean;
  if ($state =~ /^(?:active|reloading)$/) {
    Logs::note($unit, Result::told($status)) unless $is_clean;
    return end_of_life($unit);
  }
  check_end($unit) if $unit->{ending};
}

sub fail {
  my ($unit, $result, $why) = @_;
  $unit->{result} = $result if $unit->{result} eq 'success';
  $unit->{error} = $why;
  Logs::note($unit, "failed: $why");
  $unit->{queue} = [];
  kill KILL => $unit->{control} if $unit->{control};
  end_processes($unit, kill_signal($unit));
}

# The main process has ended, or a oneshot's last command.
sub end_of_life {
  my ($unit) = @_;
  if (UnitFile::is_true($unit, 'Service.RemainAfterExit') && $unit->{result} eq 'success') {
    return Jobs::set_state($unit, 'active', 'exited');
  }
  Jobs::set_state($unit, $unit->{is_up} && type_of($unit) eq 'oneshot' ? $unit->{state} : 'deactivating', 'stop');
  my @commands = map { {%$_, sub => 'stop'} } $unit->{result} eq 'success' ? Command::lines($unit, 'ExecStop') : ();
  set_deadline($unit, stop_timeout($unit), 'TimeoutStopSec=');
  run_queue($unit, \@commands, sub { end_processes($unit, kill_signal($unit)) });
}

# ---- stop

sub begin_stop {
  my ($unit) = @_;
  $unit->{stop_asked} = 1;
  if ($unit->{is_restarting}) {
    Loop::cancel(delete $unit->{restart_timer});
    delete $unit->{is_restarting};
    return settle($unit);
  }
  # It ends already: the job is done with it.
  return if $unit->{ending} || $unit->{state} eq 'deactivating';
  my $was_up = $unit->{is_up};
  kill KILL => $unit->{control} if $unit->{control};
  Jobs::set_state($unit, 'deactivating', 'stop');
  set_deadline($unit, stop_timeout($unit), 'TimeoutStopSec=');
  my @commands = map { {%$_, sub => 'stop'} } $was_up ? Command::lines($unit, 'ExecStop') : ();
  run_queue($unit, \@commands, sub { end_processes($unit, kill_signal($unit)) });
}

sub kill_signal {
  my ($unit) = @_;
  my $name = UnitFile::value($unit, 'Service.KillSignal', 'SIGTERM') =~ s/^SIG//r;
  return Result::signal_number($name) // 15;
}

# Sends a signal to what is left, and waits until nothing is. Then ExecStopPost=.
sub end_processes {
  my ($unit, $signal) = @_;
  my $mode = UnitFile::value($unit, 'Service.KillMode', 'control-group');
  Jobs::set_state($unit, 'deactivating', $signal eq 'KILL' ? 'stop-sigkill' : 'stop-sigterm');
  $unit->{queue} = [];
  my @left = Process::members($unit);
  my @asked = $mode eq 'none' ? () : $mode eq 'control-group' || $signal eq 'KILL' && $mode ne 'process' ? @left : $unit->{main} // ();
  if (@asked) {
    kill $signal => @asked;
    # Stopped processes get no other signal.
    kill CONT => @asked;
    kill HUP  => @asked if UnitFile::is_true($unit, 'Service.SendSIGHUP') && $signal ne 'KILL';
  }
  set_deadline($unit, stop_timeout($unit), 'TimeoutStopSec=') unless $unit->{deadline} && $signal ne 'KILL';
  $unit->{ending} = $mode;
  check_end($unit);
}

sub check_end {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{end_timer});
  my $mode = $unit->{ending};
  my @left = $mode eq 'none' ? () : $mode eq 'process' ? grep { defined && Process::is_alive($_) } $unit->{main} : Process::members($unit);
  # "mixed": the others are killed when the main process has ended.
  if (@left && $mode eq 'mixed' && !$unit->{main}) { kill KILL => @left }
  if (@left) {
    $unit->{end_timer} = Loop::after($KILL_POLL_SECONDS, sub { check_end($unit) });
    return;
  }
  delete $unit->{ending};
  $unit->{main} = undef;
  my @commands = map { {%$_, sub => 'stop-post'} } Command::lines($unit, 'ExecStopPost');
  set_deadline($unit, stop_timeout($unit), 'TimeoutStopSec=');
  run_queue($unit, \@commands, \&after_last_command);
}

sub after_last_command {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{deadline});
  Process::kill_all($unit, 'KILL') unless UnitFile::value($unit, 'Service.KillMode', '') =~ /^(?:none|process)$/;
  Notices::close_for($unit);
  Account::remove_folders($unit);
  unlink UnitFile::value($unit, 'Service.PIDFile') if defined UnitFile::value($unit, 'Service.PIDFile');
  if (!$unit->{stop_asked} && Result::wants_restart($unit)) { return plan_restart($unit) }
  settle($unit);
}

sub settle {
  my ($unit) = @_;
  my $has_failed = $unit->{result} ne 'success';
  delete $unit->{is_up};
  Jobs::set_state($unit, $has_failed ? 'failed' : 'inactive', $has_failed ? 'failed' : 'dead');
  my $job = Jobs::of_unit($unit);
  if ($job) {
    # A oneshot has done its work; everything else that ends during its start has failed.
    my $result = $job->{verb} eq 'stop' || !$has_failed ? defined $unit->{condition_unmet} ? 'skipped' : 'done' : $unit->{result} eq 'timeout' ? 'timeout' : 'failed';
    Jobs::finish($unit, $result);
  }
  Jobs::has_ended($unit);
  Listeners::service_ended($unit);
  Timers::service_ended($unit);
  $_->() for @{delete $unit->{on_end} // []};
}

sub plan_restart {
  my ($unit) = @_;
  my $seconds = UnitFile::seconds($unit, 'Service.RestartSec', '100ms') // 0.1;
  Jobs::set_state($unit, 'activating', 'auto-restart');
  $unit->{is_restarting} = 1;
  Jobs::finish($unit, 'failed') if Jobs::of_unit($unit);
  $unit->{restart_timer} = Loop::after($seconds, sub {
    delete @$unit{qw(restart_timer is_restarting)};
    $unit->{restarts}++;
    $unit->{state} = 'inactive';
    Jobs::start([$unit->{name}]);
  });
}

# ---- reload

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
