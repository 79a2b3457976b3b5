# The end of a service: an ended or failed process, a stop, the signals, and the restart that may follow. See systemd.kill(5).
package ServiceEnd;
use v5.12;
use warnings;
use Account;
use Command;
use Jobs;
use Listeners;
use Logs;
use Loop;
use Notices;
use Process;
use Result;
use Timers;
use UnitFile;
use Units;

my $KILL_POLL_SECONDS = 0.1;

sub control_ended {
  my ($unit, $command, $status, $is_clean) = @_;
  my $sub = $command->{sub};
  if ($sub eq 'condition') {
    return Service::run_next($unit) if $is_clean;
    # 1 to 254 mean that there is nothing to do; 255 and signals are failures.
    return fail($unit, Result::of_status($status), 'ExecCondition= failed') if $status & 127 || $status >> 8 == 255;
    @$unit{qw(queue condition_unmet)} = ([], 'ExecCondition=');
    return end_processes($unit, 'TERM');
  }
  # A failed command that stops ends nothing early.
  if ($sub =~ /^stop|^reload/ || $is_clean) {
    return ServiceStart::find_main($unit, 0) if $sub eq 'start' && Service::type_of($unit) eq 'forking';
    return Service::run_next($unit);
  }
  $unit->{status} = $status if $sub eq 'start';
  fail($unit, Result::of_status($status), "$command->{text}: " . Result::told($status));
}

sub main_ended {
  my ($unit, $status, $is_clean) = @_;
  my $state = $unit->{state};
  if ($state eq 'activating') {
    return Service::run_next($unit) if $is_clean && Service::type_of($unit) eq 'oneshot';
    return fail($unit, Result::of_status($status), Result::told($status)) unless $is_clean;
    return fail($unit, 'protocol', 'ended before it was ready') if Service::type_of($unit) =~ /^(?:notify|dbus)/;
    # ExecStartPost= of a short process continues.
    return;
  }
  # A daemon that replaces itself leaves the number of the new one.
  if ($state eq 'active' && defined(my $path = UnitFile::value($unit, 'Service.PIDFile'))) {
    my ($next) = (UnitFile::text_of($path) // '') =~ /^\s*(\d+)/;
    return ServiceStart::adopt_main($unit, $next) if defined $next && grep { $_ == $next } Process::members($unit);
  }
  $unit->{result} = Result::of_status($status) if !$is_clean && $unit->{result} eq 'success';
  $unit->{error} = Result::told($status) unless $is_clean;
  if ($state =~ /^(?:active|reloading)$/) {
    Logs::note($unit, Result::told($status)) unless $is_clean;
    return end_of_life($unit);
  }
  check_end($unit) if $unit->{ending};
}

# A service that has forked without a known main process ends with its last process.
sub check_headless {
  for my $unit (Units::loaded()) {
    next if $unit->{main} || $unit->{state} ne 'active' || $unit->{sub} ne 'running' || Units::kind_of($unit) ne 'service';
    end_of_life($unit) unless Process::members($unit);
  }
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
  Jobs::set_state($unit, $unit->{is_up} && Service::type_of($unit) eq 'oneshot' ? $unit->{state} : 'deactivating', 'stop');
  my @commands = map { {%$_, sub => 'stop'} } $unit->{result} eq 'success' ? Command::lines($unit, 'ExecStop') : ();
  Service::set_deadline($unit, Service::stop_timeout($unit), 'TimeoutStopSec=');
  Service::run_queue($unit, \@commands, sub { end_processes($unit, kill_signal($unit)) });
}

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
  Service::set_deadline($unit, Service::stop_timeout($unit), 'TimeoutStopSec=');
  my @commands = map { {%$_, sub => 'stop'} } $was_up ? Command::lines($unit, 'ExecStop') : ();
  Service::run_queue($unit, \@commands, sub { end_processes($unit, kill_signal($unit)) });
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
  Service::set_deadline($unit, Service::stop_timeout($unit), 'TimeoutStopSec=') unless $unit->{deadline} && $signal ne 'KILL';
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
  Service::set_deadline($unit, Service::stop_timeout($unit), 'TimeoutStopSec=');
  Service::run_queue($unit, \@commands, \&after_last_command);
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
    if ($unit->{load_state} ne 'loaded') {
      Logs::note($unit, "not started again: its file is $unit->{load_state}");
      return settle($unit);
    }
    $unit->{restarts}++;
    $unit->{state} = 'inactive';
    Jobs::start([$unit->{name}]);
  });
}

1;
